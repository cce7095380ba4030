#include "briefwerk/mailauth/public_suffix.hpp"

#include <libpsl.h>
#include <unistd.h>

#include <utility>

#include "mailauth/domain_name.hpp"

namespace briefwerk::mailauth {

using base::errc;
using base::fail;

struct public_suffix_list::list {
  explicit list(psl_ctx_t* loaded) noexcept : context(loaded) {}
  list(const list&) = delete;
  list& operator=(const list&) = delete;
  ~list() { psl_free(context); }
  psl_ctx_t* context;
};

public_suffix_list::public_suffix_list(std::unique_ptr<list> found) noexcept : list_(std::move(found)) {}
public_suffix_list::public_suffix_list(public_suffix_list&&) noexcept = default;
public_suffix_list& public_suffix_list::operator=(public_suffix_list&&) noexcept = default;
public_suffix_list::~public_suffix_list() = default;

base::result<public_suffix_list> public_suffix_list::newest(const std::string& file) {
  if (!file.empty() && ::access(file.c_str(), R_OK) != 0) return fail(errc::not_found);
  auto* found = psl_latest(file.empty() ? nullptr : file.c_str());
  if (found == nullptr) return fail(errc::malformed);
  return public_suffix_list(std::make_unique<list>(found));
}

base::result<public_suffix_list> public_suffix_list::from_file(const std::string& file) {
  if (::access(file.c_str(), R_OK) != 0) return fail(errc::not_found);
  auto found = std::make_unique<list>(psl_load_file(file.c_str()));
  if (found->context == nullptr) return fail(errc::malformed);
  // A text without rules loads as well; -1: a compiled list, which does not count them.
  if (psl_suffix_count(found->context) == 0) return fail(errc::malformed);
  return public_suffix_list(std::move(found));
}

std::optional<std::string> public_suffix_list::organizational_domain(std::string_view domain) const {
  const auto name = domain_name(domain);
  if (!name) return std::nullopt;
  const char* found = psl_registrable_domain(list_->context, name->c_str());
  if (found == nullptr) return std::nullopt;
  return std::string(found);
}

bool public_suffix_list::is_public_suffix(std::string_view domain) const {
  const auto name = domain_name(domain);
  return name && psl_is_public_suffix(list_->context, name->c_str()) != 0;
}

}  // namespace briefwerk::mailauth

#pragma once

// Typed reading of the directory, and what an address leads to.

#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "briefwerk/store/engine.hpp"
#include "store/directory/directory_records.hpp"
#include "store/mailbox/faults.hpp"
#include "store/mailbox/keys.hpp"

namespace briefwerk::store {

// Rows of the directory as of one version of it, absent ones included, since every RCPT asks. Bounded by octets, and
// emptied when the version grows or the bound is reached. Thread-safe.
class directory_cache {
 public:
  explicit directory_cache(std::uint64_t most_octets) : most_octets_(most_octets) {}
  base::result<std::optional<octets>> get(const view& now, const std::string& key);

 private:
  const std::uint64_t most_octets_;
  std::mutex mutex_;
  version_number version_ = 0;
  std::uint64_t octets_ = 0;
  std::unordered_map<std::string, std::optional<octets>> rows_;
};

class directory_reader {
 public:
  // `cache` may be null: for the commit thread, whose views show what is not committed yet.
  directory_reader(const view& now, const faults& report, directory_cache* cache)
      : now_(now), report_(report), cache_(cache) {}

  base::result<std::optional<domain>> find_domain(std::string_view name) const;
  base::result<std::optional<account>> find_account(std::string_view id) const;
  base::result<std::optional<account_id>> find_login(const local_address& address) const;
  base::result<std::optional<alias>> find_alias(const local_address& address) const;
  base::result<bool> any(const std::string& prefix) const;

  base::result<resolution> resolve(const mail::mailbox_address& address) const;
  // Through aliases, with or without tag, but not through a catch-all: the only account that it leads to.
  base::result<std::optional<account_id>> sole_account(const local_address& address, bool with_tag) const;

  std::unexpected<std::error_code> corrupt(std::string_view key) const {
    return report_.corrupt(keys::directory_partition, key);
  }

 private:
  struct walk;
  enum class use_catch_all : bool { no, yes };
  base::status expand(walk& w, const mail::mailbox_address& address, const std::string& detail, std::size_t depth,
                      use_catch_all catch_all) const;
  // True when there is an account or alias of this very name.
  base::result<bool> expand_exact(walk& w, const local_address& address, const std::string& detail,
                                  std::size_t depth) const;

  template <class T, class Decode>
  base::result<std::optional<T>> row(const std::string& key, Decode decode) const {
    auto value = cache_ != nullptr ? cache_->get(now_, key) : now_.get(key);
    if (!value) return base::fail(value.error());
    if (!*value) return std::optional<T>();
    base::result<T> decoded = decode((*value)->view());
    if (!decoded) return corrupt(key);
    return std::optional<T>(std::move(*decoded));
  }

  const view& now_;
  const faults& report_;
  directory_cache* cache_;
};

}  // namespace briefwerk::store

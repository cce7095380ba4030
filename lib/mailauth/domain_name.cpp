#include "mailauth/domain_name.hpp"

#include <algorithm>

#include "briefwerk/mail/address.hpp"

namespace briefwerk::mailauth {
namespace {

constexpr std::size_t longest_label = 63, longest_name = 253;

bool is_name_octet(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

}  // namespace

std::optional<std::string> domain_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  auto name = mail::domain_to_ascii(text);
  if (!name || name->empty() || name->size() > longest_name) return std::nullopt;
  std::size_t label = 0;
  for (const char c : *name) {
    if (c == '.') {
      if (label == 0) return std::nullopt;
      label = 0;
    } else if (!is_name_octet(c) || ++label > longest_label) {
      return std::nullopt;
    }
  }
  if (label == 0) return std::nullopt;
  return std::move(*name);
}

std::size_t label_count(std::string_view name) noexcept {
  return name.empty() ? 0 : 1 + static_cast<std::size_t>(std::ranges::count(name, '.'));
}

std::string_view last_labels(std::string_view name, std::size_t count) noexcept {
  for (auto left = label_count(name); left > count && left > 0; --left) {
    const auto dot = name.find('.');
    name.remove_prefix(dot == name.npos ? name.size() : dot + 1);
  }
  return name;
}

bool is_within(std::string_view name, std::string_view parent) noexcept {
  if (!name.ends_with(parent)) return false;
  return name.size() == parent.size() || name[name.size() - parent.size() - 1] == '.';
}

}  // namespace briefwerk::mailauth

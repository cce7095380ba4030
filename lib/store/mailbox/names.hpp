#pragma once

// Mailbox names: UTF-8 in NFC, levels separated by '/', "INBOX" in capitals as first level.

#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"

namespace briefwerk::store {

inline constexpr std::string_view inbox = "INBOX";

// The name as it is stored, or errc::bad_mailbox_name: empty level, control character, not UTF-8, longer than
// limits::imap_mailbox_name or deeper than limits::imap_mailbox_levels.
base::result<std::string> normalise_mailbox_name(std::string_view name);

// "a/b/c": "a", "a/b".
std::vector<std::string_view> parents_of(std::string_view name);

// Whether `name` is below `parent`.
inline bool is_below(std::string_view name, std::string_view parent) noexcept {
  return name.size() > parent.size() && name.starts_with(parent) && name[parent.size()] == '/';
}

}  // namespace briefwerk::store

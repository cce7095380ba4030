#pragma once

// Names of other accounts' mailboxes (RFC 2342): "Other Users/bob@example.org/Team/plans".

#include <optional>
#include <string>
#include <string_view>

namespace briefwerk::server::imap {

inline constexpr std::string_view other_users = "Other Users";

struct shared_name {
  std::string_view login, mailbox;  // empty: the name ends above
};

// Nothing for a name of the user's own. The views are parts of `name`.
constexpr std::optional<shared_name> parse_shared_name(std::string_view name) noexcept {
  if (!name.starts_with(other_users)) return std::nullopt;
  name.remove_prefix(other_users.size());
  if (name.empty()) return shared_name{};
  if (name.front() != '/') return std::nullopt;
  name.remove_prefix(1);
  const auto end = name.find('/');
  if (end == name.npos) return shared_name{name, {}};
  return shared_name{name.substr(0, end), name.substr(end + 1)};
}

// Logins with '/' in them have no place in the hierarchy: their mailboxes are not shared.
inline bool can_share(std::string_view login) noexcept { return !login.empty() && login.find('/') == login.npos; }

inline std::string make_shared_name(std::string_view login, std::string_view mailbox) {
  std::string name(other_users);
  name.append("/").append(login).append("/").append(mailbox);
  return name;
}

}  // namespace briefwerk::server::imap

#pragma once

// Which mailboxes the scopes of NOTIFY (RFC 5465 §6) and ESEARCH (RFC 7377 §2.2) mean, but for the selected one.

#include <algorithm>
#include <string_view>

#include "briefwerk/protocol/imap/command.hpp"

namespace briefwerk::server::imap {

// `own`: in the user's personal namespace.
template <class Names>
bool is_meant(protocol::imap::mailbox_scope scope, const Names& names, std::string_view name, bool own, bool subscribed) {
  using protocol::imap::mailbox_scope;
  const auto below = [&](std::string_view top) {
    return name.size() > top.size() && name.starts_with(top) && name[top.size()] == '/';
  };
  switch (scope) {
    case mailbox_scope::inboxes:  // §6.3: where mail may come in is not known beforehand
    case mailbox_scope::personal: return own;
    case mailbox_scope::subscribed: return subscribed;
    case mailbox_scope::mailboxes:
      return std::ranges::any_of(names, [&](std::string_view one) { return name == one; });
    case mailbox_scope::subtree:
      return std::ranges::any_of(names, [&](std::string_view top) { return name == top || below(top); });
    case mailbox_scope::subtree_one:
      return std::ranges::any_of(names, [&](std::string_view top) {
        return name == top || (below(top) && name.find('/', top.size() + 1) == name.npos);
      });
    default: return false;
  }
}

}  // namespace briefwerk::server::imap

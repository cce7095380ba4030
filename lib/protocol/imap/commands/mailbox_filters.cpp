#include "protocol/imap/commands/mailbox_filters.hpp"

#include "briefwerk/base/limits/imap.hpp"

namespace briefwerk::protocol::imap {
namespace {

struct scope_name {
  std::string_view name;
  mailbox_scope scope;
  bool named = false;  // one-or-more-mailbox follows
};
constexpr scope_name scopes[] = {
    {"SELECTED-DELAYED", mailbox_scope::selected_delayed}, {"SELECTED", mailbox_scope::selected},
    {"INBOXES", mailbox_scope::inboxes},                   {"PERSONAL", mailbox_scope::personal},
    {"SUBSCRIBED", mailbox_scope::subscribed},             {"SUBTREE-ONE", mailbox_scope::subtree_one, true},
    {"SUBTREE", mailbox_scope::subtree, true},             {"MAILBOXES", mailbox_scope::mailboxes, true},
};

// one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")"
bool read_mailboxes(scanner& in, mailbox_filter& filter) {
  arena_list<std::string_view> names(in.memory());
  const bool list = in.accept('(');
  do {
    std::string_view name;
    if (!in.mailbox(name)) return false;
    if (names.size() == base::limits::imap_notify_mailboxes) return in.refuse(errc::too_many);
    names.push_back(name);
  } while (list && in.more());
  filter.names = names.view();
  return !list || in.expect(')');
}

}  // namespace

bool read_mailbox_filter(scanner& in, mailbox_filter& filter) {
  for (const auto& one : scopes) {
    if (!in.accept_word(one.name)) continue;
    filter.scope = one.scope;
    return !one.named || (in.space() && read_mailboxes(in, filter));
  }
  return in.refuse(errc::bad_option);
}

}  // namespace briefwerk::protocol::imap

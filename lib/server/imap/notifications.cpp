#include "notifications.hpp"

#include "mailbox_scopes.hpp"

namespace briefwerk::server::imap {

namespace wire = protocol::imap;
using wire::mailbox_scope;

notifications::notifications(const wire::notify_command& asked) {
  for (const auto& one : asked.groups) {
    const auto scope = one.mailboxes.scope;
    if (scope == mailbox_scope::selected || scope == mailbox_scope::selected_delayed) {
      selected = one.events;
      delayed = scope == mailbox_scope::selected_delayed;
      items.keep(one.items, one.kinds);
      continue;
    }
    groups.push_back({scope, {one.mailboxes.names.begin(), one.mailboxes.names.end()}, one.events});
    others |= one.events;
  }
}

wire::notify_events notifications::events_of(std::string_view name, bool own, bool subscribed) const noexcept {
  wire::notify_events events = 0;
  for (const auto& one : groups)
    if (is_meant(one.scope, one.names, name, own, subscribed)) events |= one.events;
  return events;
}

void notifications::heard(const store::account_id& account, store::mailbox_id mailbox) {
  if (mailbox == 0)
    names_changed = true;
  else if (mailbox == any_mailbox)
    everything = names_changed = true;
  else if (const place where{account, mailbox}; choosing || mailboxes.contains(where))
    changed.insert(where);
  else
    return;
  wake();
}

}  // namespace briefwerk::server::imap

#include <algorithm>

#include "briefwerk/base/limits/imap.hpp"
#include "protocol/imap/characters.hpp"
#include "protocol/imap/commands/commands.hpp"
#include "protocol/imap/commands/fetch_parts.hpp"
#include "protocol/imap/commands/mailbox_filters.hpp"

namespace briefwerk::protocol::imap {

namespace {

struct event_name {
  std::string_view name;  // in capitals
  notify_event event;
};
// AnnotationChange belongs to RFC 5257, which is not offered: BADEVENT, as what is unknown.
constexpr event_name events[] = {
    {"MESSAGENEW", event_message_new},
    {"MESSAGEEXPUNGE", event_message_expunge},
    {"FLAGCHANGE", event_flag_change},
    {"MAILBOXNAME", event_mailbox_name},
    {"SUBSCRIPTIONCHANGE", event_subscription},
    {"MAILBOXMETADATACHANGE", event_mailbox_metadata},
    {"SERVERMETADATACHANGE", event_server_metadata},
};

bool is_selected(const notify_group& group) noexcept {
  const auto scope = group.mailboxes.scope;
  return scope == mailbox_scope::selected || scope == mailbox_scope::selected_delayed;
}

bool read_event(scanner& in, notify_group& group) {
  std::string_view name;
  if (!in.atom(name)) return false;
  const auto found = std::ranges::find_if(events, [&](const event_name& one) { return is_word(name, one.name); });
  if (found == std::end(events)) return in.refuse(errc::bad_event);
  group.events |= found->event;
  if (found->event != event_message_new || !in.accept_text(" (")) return true;
  // fetch-atts are for the selected mailbox only.
  if (!is_selected(group)) return in.refuse(errc::bad_argument);
  return read_fetch_list(in, group.items, group.kinds);
}

// events = ( "(" event *(SP event) ")" ) / "NONE"; the examples of §3.1 leave the parentheses out.
bool read_events(scanner& in, notify_group& group) {
  if (in.accept_word("NONE")) return true;
  const bool list = in.accept('(');
  do {
    if (!read_event(in, group)) return false;
  } while (in.more());
  return !list || in.expect(')');
}

// §5, §6.1: which events go together, and where.
bool is_sound(const notify_group& group) noexcept {
  const bool arrivals = (group.events & event_message_new) != 0, removals = (group.events & event_message_expunge) != 0;
  if (arrivals != removals || (!arrivals && (group.events & event_flag_change) != 0)) return false;
  return !is_selected(group) || (group.events & ~events_of_messages) == 0;
}

bool read_group(scanner& in, notify_group& group) {
  if (!in.expect('(')) return false;
  if (!read_mailbox_filter(in, group.mailboxes) || !in.space()) return false;
  if (group.mailboxes.scope == mailbox_scope::subtree_one) return in.refuse(errc::bad_option);  // of RFC 7377 alone
  return read_events(in, group) && in.expect(')') && (is_sound(group) || in.refuse(errc::bad_option));
}

}  // namespace

// notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE") (RFC 5465 §8)
base::result<command> parse_notify(scanner& in) {
  notify_command notify;
  if (!in.space()) return in.failure();
  if (in.accept_word("NONE")) {
    if (!in.end()) return in.failure();
    return notify;
  }
  if (!in.accept_word("SET")) return in.failure(errc::bad_option);
  if (!in.space()) return in.failure();
  notify.status = in.accept_word("STATUS");
  if (notify.status && !in.space()) return in.failure();
  arena_list<notify_group> groups(in.memory());
  std::size_t selected = 0;
  do {
    notify_group group;
    if (!read_group(in, group)) return in.failure();
    selected += is_selected(group) ? 1 : 0;
    if (groups.size() == base::limits::imap_notify_groups) return in.failure(errc::too_many);
    groups.push_back(group);
  } while (in.more());
  if (selected > 1) return in.failure(errc::bad_option);
  if (!in.end()) return in.failure();
  notify.groups = groups.view();
  return notify;
}

}  // namespace briefwerk::protocol::imap

// NOTIFY (RFC 5465): telling of changes at any time, in the selected mailbox and in others.

#include <algorithm>
#include <unordered_set>

#include "briefwerk/base/limits/imap.hpp"
#include "notifications.hpp"
#include "session.hpp"
#include "shared_names.hpp"
#include "slices.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;

namespace {

using named = notifications::named;
constexpr wire::notify_events events_of_names = wire::event_mailbox_name | wire::event_subscription;
constexpr wire::notify_events events_of_watching = wire::events_of_messages | wire::event_mailbox_metadata;

std::map<std::string, std::size_t> hashes(const std::vector<store::annotation>& all) {
  std::map<std::string, std::size_t> out;
  for (const auto& one : all) out.emplace(one.entry, std::hash<std::string>{}(one.value));
  return out;
}

// Entries that are new, others or gone.
std::vector<std::string> changed_entries(const std::map<std::string, std::size_t>& before,
                                         const std::map<std::string, std::size_t>& now) {
  std::vector<std::string> out;
  for (const auto& [entry, hash] : now)
    if (const auto at = before.find(entry); at == before.end() || at->second != hash) out.push_back(entry);
  for (const auto& [entry, hash] : before)
    if (!now.contains(entry)) out.push_back(entry);
  return out;
}

std::string_view parent_of(std::string_view name) noexcept {
  const auto cut = name.rfind('/');
  return cut == name.npos ? std::string_view() : name.substr(0, cut);
}

// Whether the session itself changed this name, or one above it.
bool is_own(const notifications& all, std::string_view name) {
  for (; !name.empty(); name = parent_of(name))
    if (all.own_names.contains(name)) return true;
  return false;
}

}  // namespace

base::task<void> session::run(const wire::notify_command& command) {
  if (command.groups.empty()) {
    notify_.reset();
    co_await finish(condition::ok, "", "Nothing will be told", true, false);
    co_return;
  }
  auto fresh = std::make_unique<notifications>(command);
  fresh->wake = [this] { wake(); };
  const auto before = std::exchange(notify_, std::move(fresh));
  // Before anything is looked at, so that nothing slips in between.
  if (selected_ != 0 && !is_watching()) thread_.watch(mail(), owner_, *this);
  const auto ready = co_await begin_notifying(command.status);
  if (!ready) {
    notify_.reset();
    const auto why = ready.error() == base::errc::limit_exceeded
                         ? refusal{codes::notification_overflow, "Too many mailboxes"}
                         : refusal_of(ready.error());
    complete(why);
    co_return;
  }
  own_change_ = true;  // §3.1: as with NOOP, what was accumulated is told
  const bool alive = co_await refresh(true, false);
  own_change_ = false;
  if (alive) machine_.complete(condition::ok, "", "Changes will be told");
}

base::task<base::status> session::begin_notifying(bool tell_status) {
  auto& n = *notify_;
  if (n.others == 0) co_return base::status{};
  listen_to(account_);
  const auto all = co_await all_names();
  if (!all) co_return base::fail(all.error());
  for (const auto& [account, granted] : all->shared) listen_to(account);
  n.names = names_to_tell(*all);
  if ((n.others & wire::event_server_metadata) != 0) {
    const auto noted = co_await mail().annotations(account_, 0, account_);
    if (!noted) co_return base::fail(noted.error());
    n.server_noted = hashes(*noted);
  }
  co_return co_await watch_mailboxes(*all, tell_status);
}

void session::listen_to(const store::account_id& account) {
  auto& n = *notify_;
  if (std::ranges::any_of(n.ears, [&](const auto& one) { return one->account() == account; })) return;
  n.ears.push_back(std::make_unique<notifications::ear>(n, account));
  thread_.watch(mail(), account, *n.ears.back());
}

// Names about whose changes the client wants to hear, as they are.
std::map<std::string, named, std::less<>> session::names_to_tell(const names& all) const {
  const auto& n = *notify_;
  std::map<std::string, named, std::less<>> out;
  if ((n.others & events_of_names) == 0) return out;
  for (std::size_t i = 0; i < all.infos.size(); ++i) {
    const auto& info = all.infos[i];
    const bool own = i < all.own;
    const auto events = n.events_of(info.name, own && !parse_shared_name(info.name), info.subscribed);
    out[info.name] = {.account = own ? account_ : all.shared[i - all.own].first, .id = info.id,
                      .subscribed = info.subscribed, .events = events};
  }
  return out;
}

// Watches what the groups mean now. `tell_status`: what the client should know of each (§3.1).
base::task<base::status> session::watch_mailboxes(const names& all, bool tell_status) {
  auto& n = *notify_;
  std::map<notifications::place, notifications::watched> now;
  slices turn(*options().clock, where_);
  n.choosing = true;
  for (std::size_t i = 0; i < all.infos.size(); ++i) {
    const auto& info = all.infos[i];
    const bool own = i < all.own;
    const auto events = n.events_of(info.name, own, info.subscribed) & events_of_watching;
    if (info.id == 0 || events == 0) continue;
    if (!own && (all.shared[i - all.own].second & mail::rights::read) == 0) {
      if (tell_status) write_no_access(info);
      continue;
    }
    if (now.size() == base::limits::imap_notify_watched) co_return base::fail(base::errc::limit_exceeded);
    const notifications::place where{own ? account_ : all.shared[i - all.own].first, info.id};
    auto& one = now[where];
    if (const auto at = n.mailboxes.find(where); at != n.mailboxes.end()) one = std::move(at->second);
    one.name = info.name;
    const auto watched_for = std::exchange(one.events, static_cast<wire::notify_events>(events));
    if ((events & ~watched_for) != 0) {
      const auto told = one.told;
      const auto known = co_await know_mailbox(where, one);
      if (!known) {
        now.erase(where);  // removed in between
        continue;
      }
      if (watched_for != 0) one.told = told;  // what changed since is still to be told
    }
    if (tell_status) co_await write_first_status(where, one);
    if (output_is_full()) co_await send_collected();
    if (turn.is_over()) co_await turn.next();
  }
  n.mailboxes = std::move(now);
  n.choosing = false;
  co_return base::status{};
}

base::task<base::status> session::know_mailbox(notifications::place where, notifications::watched& one) {
  const auto status = co_await mail().status(where.first, where.second);
  if (!status) co_return base::fail(status.error());
  one.told = *status;
  if ((one.events & wire::event_mailbox_metadata) == 0) co_return base::status{};
  const auto noted = co_await mail().annotations(where.first, where.second, account_);
  if (!noted) co_return base::fail(noted.error());
  one.noted = hashes(*noted);
  co_return base::status{};
}

base::task<void> session::write_first_status(const notifications::place& where, const notifications::watched& one) {
  if (where.second == selected_ && where.first == owner_) co_return;
  wire::status_items items = 0;
  if ((one.events & wire::event_message_new) != 0)
    items |= wire::status_messages | wire::status_uid_next | wire::status_uid_validity;
  if ((one.events & wire::event_flag_change) != 0) items |= wire::status_uid_validity | wire::status_highest_modseq;
  if (items != 0) co_await write_status(one.name, where.first, where.second, items);
}

// §3.1: it may be listed, but not watched.
void session::write_no_access(const store::mailbox_info& info) {
  wire::list_entry entry;
  entry.name = info.name;
  entry.no_access = true;
  machine_.output().list(entry);
}

void session::wake() {
  if (std::exchange(waiting_, false)) stream_.cancel_read();
}

bool session::has_news(bool idling) const noexcept {
  if (!notify_) return idling && news_;
  return news_ || notify_->has_news();
}

// With no command under way. What is written here goes out with the next step.
base::task<void> session::tell_news(bool idling) {
  if (opening_) {
    const bool open = co_await finish_opening();  // a QRESYNC SELECT, say
    if (!open) co_return;
  }
  if (news_) {
    const bool alive = co_await refresh(idling || !notify_ || !notify_->delayed, false);
    if (!alive) co_return;
  }
  if (!notify_) co_return;
  auto& n = *notify_;
  if (std::exchange(n.names_changed, false)) {
    const bool fits = co_await tell_names();
    if (!fits) {
      machine_.output().ok(codes::notification_overflow, "Too many mailboxes");  // §5.8
      notify_.reset();
      co_return;
    }
  }
  if (std::exchange(n.everything, false))
    for (const auto& [where, one] : n.mailboxes) n.changed.insert(where);
  for (const auto& where : std::exchange(n.changed, {})) co_await tell_mailbox(where);
}

// §5.1 to §5.3, §5.6: of a mailbox that is not selected.
base::task<void> session::tell_mailbox(notifications::place where) {
  auto& n = *notify_;
  const auto at = n.mailboxes.find(where);
  if (at == n.mailboxes.end()) co_return;
  auto& one = at->second;
  const auto before = one.told;
  const auto noted = std::move(one.noted);
  const auto known = co_await know_mailbox(where, one);
  if (!known) co_return;
  if ((one.events & wire::event_mailbox_metadata) != 0)
    machine_.output().metadata_changed(one.name, changed_entries(noted, one.noted));
  if (where.second == selected_ && where.first == owner_) co_return;
  const auto& now = one.told;
  const bool arrived = now.uid_next != before.uid_next;
  const bool removed = std::uint64_t{before.messages} + (now.uid_next - before.uid_next) > now.messages;
  const wire::status_items modseq = machine_.is_condstore() ? wire::status_items{wire::status_highest_modseq} : wire::status_items{};
  wire::status_items items = 0;
  if ((arrived || removed) && (one.events & wire::event_message_new) != 0)
    items |= wire::status_uid_next | wire::status_messages | modseq;
  const bool flags = now.highest_modseq != before.highest_modseq && !(arrived || removed);
  if ((one.events & wire::event_flag_change) != 0 &&
      (now.unseen != before.unseen || now.uid_validity != before.uid_validity || (flags && modseq != 0)))
    items |= wire::status_uid_validity | wire::status_unseen | modseq;
  if (items != 0) co_await write_status(one.name, where.first, where.second, items);
}

// §5.4, §5.5, §5.7. False: there is too much to watch.
base::task<bool> session::tell_names() {
  auto& n = *notify_;
  if ((n.others & wire::event_server_metadata) != 0) {
    const auto noted = co_await mail().annotations(account_, 0, account_);
    if (noted) {
      auto before = std::exchange(n.server_noted, hashes(*noted));
      machine_.output().metadata_changed("", changed_entries(before, n.server_noted));
    }
  }
  const auto all = co_await all_names();
  if (!all) co_return true;
  for (const auto& [account, granted] : all->shared) listen_to(account);
  auto now = names_to_tell(*all);
  tell_changed_names(*all, n.names, now);
  n.names = std::move(now);
  n.own_names.clear();
  const auto watched = co_await watch_mailboxes(*all, false);
  co_return watched.has_value() || watched.error() != base::errc::limit_exceeded;
}

void session::tell_changed_names(const names& all, const known_names& before, const known_names& now) {
  const auto& n = *notify_;
  std::map<notifications::place, std::string_view> old_name;
  for (const auto& [name, one] : before)
    if (one.id != 0) old_name.emplace(notifications::place{one.account, one.id}, name);
  const auto was_called = [&](const named& one) {
    const auto at = old_name.find({one.account, one.id});
    return one.id == 0 || at == old_name.end() ? std::string_view() : at->second;
  };
  std::map<std::string_view, std::string_view> told;  // and the old name of those that were renamed
  std::set<std::string_view> moved;                   // old names that are now others
  const auto affected = [&](std::string_view name, std::string_view old) {
    told.emplace(name, old);
    if (old.empty() && !parent_of(name).empty()) told.emplace(parent_of(name), "");
  };
  for (const auto& [name, one] : now) {
    const auto at = before.find(name);
    const auto old = was_called(one);
    if (!old.empty() && old != name) moved.insert(old);
    if (is_own(n, name)) continue;
    const bool same = at != before.end() && at->second.id == one.id && at->second.account == one.account;
    if (!same && one.id != 0 && (one.events & wire::event_mailbox_name) != 0) {
      // Children of a renamed mailbox are not told.
      const auto above = now.find(parent_of(name));
      const auto old_above = above == now.end() ? std::string_view() : was_called(above->second);
      const bool by_parent = !old.empty() && !old_above.empty() && old_above == parent_of(old) && old_above != above->first;
      if (!by_parent) affected(name, old == name ? std::string_view() : old);
    } else if ((one.events & wire::event_subscription) != 0 && (at == before.end() || at->second.subscribed != one.subscribed)) {
      told.emplace(name, "");
    }
  }
  for (const auto& [name, one] : before) {
    const auto at = now.find(name);
    const bool gone = one.id != 0 && (at == now.end() || at->second.id == 0);
    if (is_own(n, name)) continue;
    if (gone && !moved.contains(name) && (one.events & wire::event_mailbox_name) != 0)
      affected(name, "");
    else if (one.subscribed && at == now.end() && (one.events & wire::event_subscription) != 0)
      told.emplace(name, "");
  }
  if (!told.empty()) write_names(all, told, before);
}

void session::write_names(const names& all, const std::map<std::string_view, std::string_view>& told, const known_names& before) {
  const auto& n = *notify_;
  std::unordered_set<std::string_view> with_children;
  std::map<std::string_view, const store::mailbox_info*> infos;
  for (const auto& info : all.infos) {
    infos.emplace(info.name, &info);
    if (info.id == 0) continue;
    for (auto above = parent_of(info.name); !above.empty(); above = parent_of(above)) with_children.insert(above);
  }
  for (const auto& [name, old] : told) {
    const auto at = infos.find(name);
    // A parent is told of where it is asked for itself.
    const bool own = !parse_shared_name(name);
    const bool asked = (n.events_of(name, own, at != infos.end() && at->second->subscribed) & events_of_names) != 0;
    if (!asked && !before.contains(name)) continue;
    wire::list_entry entry;
    entry.name = name;
    entry.non_existent = at == infos.end() || at->second->id == 0;
    entry.subscribed = at != infos.end() && at->second->subscribed;
    entry.has_children = with_children.contains(name);
    entry.old_name = old;
    if (at != infos.end() && at->second->use) entry.use = {&*at->second->use, 1};
    machine_.output().list(entry);
  }
}

// §5.2: what is asked of messages that came into the selected mailbox, but not of this session's own.
base::task<void> session::tell_new_messages(std::uint32_t first) {
  const auto& n = *notify_;
  selection fresh;
  for (auto i = first; i < announced_->count(); ++i)
    if (!n.own_uids.contains(announced_->at(i).uid)) fresh.ranges.push_back({i, i + 1});
  co_await write_attributes(n.items.items(), n.items.kinds(), std::move(fresh));
}

base::task<void> session::write_attributes(std::span<const wire::fetch_item> items, wire::fetch_kinds kinds, selection what) {
  what.count = wire::count_of(what.ranges);
  if (what.count == 0 || items.empty()) co_return;
  std::vector<wire::fetch_item> told(items.begin(), items.end());
  if (machine_.is_condstore()) {  // RFC 7162 §3.2.4
    for (const auto kind : {wire::fetch_kind::uid, wire::fetch_kind::modseq}) {
      if ((kinds & wire::bit(kind)) == 0) told.push_back({.kind = kind});
      kinds |= wire::bit(kind);
    }
  }
  const wire::fetch_command command{.items = told, .kinds = kinds};
  fetch_plan plan(command, true);  // nothing is marked as read by it
  bool incomplete = false;
  if (plan.index_only())
    co_await fetch_from_index(command, plan, what);
  else
    co_await fetch_batches(command, plan, what, incomplete);
}

void session::did_to_name(std::string_view name) {
  if (notify_ && notify_->others != 0) notify_->own_names.emplace(name);
}

// Of messages that this session put into another mailbox, the client knows; unless somebody else was there as well.
base::task<void> session::did_append(store::account_id account, store::mailbox_id mailbox, mail::uid_set uids) {
  if (!notify_ || uids.empty()) co_return;
  if (account == owner_ && mailbox == selected_) notify_->own_uids.insert(uids);
  const auto at = notify_->mailboxes.find({account, mailbox});
  if (at == notify_->mailboxes.end()) co_return;
  const auto now = co_await mail().status(account, mailbox);
  auto& told = at->second.told;
  const bool alone = now && told.uid_next == uids.front() && now->uid_next == uids.back() + 1 &&
                     now->messages == told.messages + uids.size();
  if (alone) told = *now;
}

base::task<void> session::did_note(const place& where) {
  if (!notify_) co_return;
  const auto noted = co_await mail().annotations(where.account, where.info.id, account_);
  if (!noted) co_return;
  if (where.info.id == 0)
    notify_->server_noted = hashes(*noted);
  else if (const auto at = notify_->mailboxes.find({where.account, where.info.id}); at != notify_->mailboxes.end())
    at->second.noted = hashes(*noted);
}

}  // namespace briefwerk::server::imap

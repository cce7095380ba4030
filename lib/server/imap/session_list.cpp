#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "list_choice.hpp"
#include "session.hpp"
#include "shared_names.hpp"
#include "slices.hpp"

namespace briefwerk::server::imap {

using wire::condition;

namespace {

// Names read between two looks at the clock.
constexpr std::size_t names_in_a_row = 64;

// Calls f with each name above: of "a/b/c", "a/b" and "a".
template <class F>
void for_each_parent(std::string_view name, F&& f) {
  for (auto cut = name.rfind('/'); cut != name.npos && cut != 0; cut = name.substr(0, cut).rfind('/')) f(name.substr(0, cut));
}

// Puts what stands below Other Users, mailboxes and subscriptions to what is not there, in its order.
std::vector<store::listed_mailbox> in_order(std::vector<store::mailbox_info> infos) {
  std::ranges::sort(infos, {}, &store::mailbox_info::name);
  std::unordered_set<std::string_view> with_children, with_subscribed;
  for (const auto& info : infos) {
    for_each_parent(info.name, [&](std::string_view parent) {
      if (info.id != 0) with_children.insert(parent);
      if (info.subscribed) with_subscribed.insert(parent);
    });
  }
  std::vector<store::listed_mailbox> out;
  for (const auto& info : infos) out.push_back({info, with_children.contains(info.name), with_subscribed.contains(info.name)});
  return out;
}

}  // namespace

// The user's own names, by name, then those of others' mailboxes that are shared; those that are subscribed to are marked
// under their name in the user's subscriptions.
base::task<base::result<session::names>> session::all_names() {
  names all;
  auto own = co_await mail().list(account_);
  if (!own) co_return base::fail(own.error());
  all.infos = std::move(*own);
  std::unordered_set<std::string> subscribed;
  if (is_sharing()) {
    for (const auto& info : all.infos)
      if (info.id == 0 && info.subscribed && parse_shared_name(info.name)) subscribed.insert(info.name);
  }
  all.own = all.infos.size();
  auto shared = co_await shared_places();
  if (!shared) co_return base::fail(shared.error());
  for (auto& one : *shared) one.info.subscribed = subscribed.contains(one.info.name);
  std::unordered_set<std::string_view> there;
  for (const auto& one : *shared) there.insert(one.info.name);
  std::erase_if(all.infos, [&](const store::mailbox_info& info) { return info.id == 0 && there.contains(info.name); });
  all.own = all.infos.size();
  for (auto& one : *shared) {
    all.infos.push_back(std::move(one.info));
    all.shared.emplace_back(std::move(one.account), one.rights);
  }
  co_return all;
}

// What is told of a mailbox beside its row.
base::task<void> session::write_further(const wire::list_command& command, const store::mailbox_info& info,
                                        const store::account_id& account, mail::right_set granted) {
  // RFC 9590 §4, RFC 8440 §4: not of what is told for the sake of its children.
  const bool selected = !command.select_subscribed || info.subscribed;
  if (command.return_my_rights && selected) machine_.output().my_rights(info.name, granted);
  if (command.return_status != 0 && (granted & mail::rights::read) != 0)
    co_await write_status(info.name, account, info.id, command.return_status);
  if (!command.return_metadata.empty() && selected && may_note(granted)) {
    wire::get_metadata_command wanted;
    wanted.entries = command.return_metadata;
    co_await write_metadata(info.name, account, info.id, wanted);
  }
}

// What a name makes of the answer. False: the connection is gone.
base::task<bool> session::write_listed(const wire::list_command& command, list_choice& choice,
                                       const store::listed_mailbox& one, const place* shared) {
  for (const auto& row : choice.take(one, shared != nullptr)) {
    list_choice::write(machine_.output(), command, row);
    const bool has_more = row.listed != nullptr && row.listed->info.selectable && row.listed->info.id != 0;
    if (has_more) {
      const auto granted = shared != nullptr ? shared->rights : mail::rights::all;
      co_await write_further(command, one.info, shared != nullptr ? shared->account : account_, granted);
    }
    if (!output_is_full()) continue;
    const bool sent = co_await send_collected();
    if (!sent) co_return false;
  }
  co_return true;
}

// The user's own names, as of one moment. What stands where other users' mailboxes do is left for later.
base::task<base::status> session::list_own(const wire::list_command& command, list_choice& choice,
                                           std::vector<store::mailbox_info>& left) {
  auto own = co_await mail().names(account_);
  if (!own) co_return base::fail(own.error());
  slices turn(*options().clock, where_);
  for (;;) {
    const auto some = co_await (*own)->next(names_in_a_row);
    if (!some) co_return base::fail(some.error());
    if (some->empty()) co_return base::status();
    for (const auto& one : *some) {
      if (is_sharing() && parse_shared_name(one.info.name)) {
        left.push_back(one.info);
        continue;
      }
      const bool alive = co_await write_listed(command, choice, one, nullptr);
      if (!alive) co_return base::fail(base::errc::cancelled);
    }
    if (turn.is_over()) co_await turn.next();
  }
}

// Other users' mailboxes, and what of the user's own stands among them.
base::task<base::status> session::list_shared(const wire::list_command& command, list_choice& choice,
                                              std::vector<store::mailbox_info> own) {
  const bool subscribed_only = command.lsub || command.select_subscribed;
  const bool any_subscribed = std::ranges::any_of(own, &store::mailbox_info::subscribed);
  if (!is_sharing() || (subscribed_only && !any_subscribed)) co_return base::status();
  auto found = co_await shared_places();
  if (!found) co_return base::fail(found.error());
  std::unordered_map<std::string_view, place*> places;
  for (auto& one : *found) places.emplace(one.info.name, &one);
  std::vector<store::mailbox_info> all;
  for (auto& info : own) {
    const auto same = places.find(info.name);  // own mailboxes of that name are out of reach
    if (same == places.end())
      all.push_back(std::move(info));
    else
      same->second->info.subscribed = info.subscribed;
  }
  for (const auto& one : *found) all.push_back(one.info);
  const auto listed = in_order(std::move(all));
  slices turn(*options().clock, where_);
  for (const auto& one : listed) {
    const auto at = places.find(one.info.name);
    const bool alive = co_await write_listed(command, choice, one, at != places.end() ? at->second : nullptr);
    if (!alive) co_return base::fail(base::errc::cancelled);
    if (turn.is_over()) co_await turn.next();
  }
  co_return base::status();
}

base::task<void> session::run(const wire::list_command& command) {
  if (command.patterns.size() == 1 && command.patterns.front().empty() && !command.extended) {
    // The delimiter alone is asked for.
    wire::list_entry entry;
    entry.name = "";
    entry.no_select = true;
    machine_.output().list(entry, command.lsub);
    co_await finish(condition::ok, "", "Listed", true, false);
    co_return;
  }
  list_choice choice(command);
  std::vector<store::mailbox_info> left;
  auto done = co_await list_own(command, choice, left);
  if (done) done = co_await list_shared(command, choice, std::move(left));
  if (lost_) co_return;
  if (done)
    co_await finish(condition::ok, "", "Listed", true, false);
  else
    complete(refusal_of(done.error()));
}

}  // namespace briefwerk::server::imap

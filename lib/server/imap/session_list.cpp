#include <algorithm>
#include <set>
#include <unordered_set>

#include "list_matcher.hpp"
#include "session.hpp"
#include "shared_names.hpp"
#include "yield.hpp"

namespace briefwerk::server::imap {

using wire::condition;

namespace {

// Names between two looks at the thread's other sessions.
constexpr std::size_t names_in_a_row = 256;

struct listed {
  const store::mailbox_info* info = nullptr;  // null: a name that only leads to others
  std::string_view name;
  bool has_children = false;
  bool has_subscribed_below = false;
};

// Calls f with each name above: of "a/b/c", "a/b" and "a".
template <class F>
void for_each_parent(std::string_view name, F&& f) {
  for (auto cut = name.rfind('/'); cut != name.npos && cut != 0; cut = name.substr(0, cut).rfind('/')) f(name.substr(0, cut));
}

bool any_matches(const std::vector<list_matcher>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const list_matcher& one) { return one.matches(name); });
}

// RFC 9051 §6.3.9: with "%", levels above other users' mailboxes that are no mailboxes, or none to be looked up.
void add_levels(const std::vector<store::mailbox_info>& all, const std::vector<list_matcher>& patterns,
                const std::unordered_set<std::string_view>& with_children, std::vector<listed>& out) {
  if (all.empty() || !parse_shared_name(all.back().name)) return;
  if (std::none_of(patterns.begin(), patterns.end(), [](const auto& one) { return one.has_percent(); })) return;
  std::set<std::string_view> levels;
  for (const auto name : with_children)
    if (parse_shared_name(name)) levels.insert(name);
  for (const auto& info : all) levels.erase(info.name);
  for (const auto name : levels)
    if (any_matches(patterns, name))
      out.push_back({.info = nullptr, .name = name, .has_children = true, .has_subscribed_below = false});
}

// RFC 9051 §6.3.9 and RFC 5258.
base::task<std::vector<listed>> choose(const wire::list_command& command, const std::vector<store::mailbox_info>& all,
                                       const std::vector<list_matcher>& patterns, base::executor& where) {
  std::unordered_set<std::string_view> with_children, with_subscribed;
  for (const auto& info : all) {
    for_each_parent(info.name, [&](std::string_view parent) {
      if (info.id != 0) with_children.insert(parent);
      if (info.subscribed) with_subscribed.insert(parent);
    });
  }
  std::vector<listed> out;
  std::size_t looked_at = 0;
  // RFC 5258 §3.5: a parent that is not there is told as well, when a subscription below it is looked for.
  if (command.recursive_match && command.select_subscribed) {
    std::set<std::string_view> leading(with_subscribed.begin(), with_subscribed.end());
    for (const auto& info : all) leading.erase(info.name);
    for (const auto name : leading)
      if (any_matches(patterns, name)) out.push_back({.info = nullptr, .name = name, .has_children = false, .has_subscribed_below = true});
  }
  for (const auto& info : all) {
    if (++looked_at % names_in_a_row == 0) co_await yield{where};
    listed row{.info = &info, .name = info.name, .has_children = with_children.contains(info.name),
               .has_subscribed_below = with_subscribed.contains(info.name)};
    const bool by_child = command.recursive_match && row.has_subscribed_below;
    if (command.select_subscribed && !info.subscribed && !by_child) continue;
    if (!command.select_subscribed && info.id == 0) continue;
    if (command.select_special_use && !info.use) continue;
    if (any_matches(patterns, info.name)) out.push_back(row);
  }
  if (!command.select_subscribed && !command.select_special_use) add_levels(all, patterns, with_children, out);
  co_return out;
}

// RFC 3501 §6.3.9: with "%", a name whose subscribed children do not match stands for them, as \Noselect.
base::task<std::vector<listed>> choose_lsub(const std::vector<store::mailbox_info>& all,
                                            const std::vector<list_matcher>& patterns, base::executor& where) {
  std::vector<listed> out;
  std::set<std::string_view> subscribed, leading;
  for (const auto& info : all)
    if (info.subscribed) subscribed.insert(info.name);
  const bool percent = std::any_of(patterns.begin(), patterns.end(), [](const auto& one) { return one.has_percent(); });
  std::size_t looked_at = 0;
  for (const auto& info : all) {
    if (++looked_at % names_in_a_row == 0) co_await yield{where};
    if (!info.subscribed) continue;
    if (any_matches(patterns, info.name)) {
      out.push_back({.info = &info, .name = info.name, .has_children = false, .has_subscribed_below = false});
    } else if (percent) {
      for_each_parent(info.name, [&](std::string_view parent) {
        if (!subscribed.contains(parent) && any_matches(patterns, parent)) leading.insert(parent);
      });
    }
  }
  for (const auto name : leading) out.push_back({.info = nullptr, .name = name, .has_children = true, .has_subscribed_below = true});
  co_return out;
}

void write_row(wire::response_writer& out, const wire::list_command& command, const listed& row) {
  wire::list_entry entry;
  entry.name = row.name;
  if (row.info == nullptr) {
    entry.no_select = entry.non_existent = true;
    entry.child_info_subscribed = !command.lsub && row.has_subscribed_below;
    if (!command.lsub) entry.has_children = row.has_children;
    out.list(entry, command.lsub);
    return;
  }
  const auto& info = *row.info;
  if (command.lsub) {
    entry.no_select = !info.selectable;
    out.list(entry, true);
    return;
  }
  entry.non_existent = info.id == 0;
  entry.no_select = !info.selectable && info.id != 0;
  entry.subscribed = info.subscribed && (command.return_subscribed || command.select_subscribed);
  entry.has_children = row.has_children;
  if (info.use) entry.use = {&*info.use, 1};
  entry.child_info_subscribed = command.recursive_match && row.has_subscribed_below;
  out.list(entry);
}

}  // namespace

// The user's own names, by name, then those of others' mailboxes that are shared; those that are subscribed to are marked
// under their name in the user's subscriptions.
base::task<base::result<session::names>> session::all_names(bool subscribed_only) {
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
  if (subscribed_only && subscribed.empty()) co_return all;
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

// What is told of a mailbox beside its row. False: the connection is gone.
base::task<bool> session::write_further(const wire::list_command& command, const store::mailbox_info& info,
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
  if (!output_is_full()) co_return true;
  const bool sent = co_await send_collected();
  co_return sent;
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
  const auto all = co_await all_names(command.lsub || command.select_subscribed);
  if (!all) {
    complete(refusal_of(all.error()));
    co_return;
  }
  std::vector<list_matcher> patterns;
  for (const auto pattern : command.patterns) patterns.emplace_back(command.reference, pattern);
  std::vector<listed> rows;
  if (command.lsub)
    rows = co_await choose_lsub(all->infos, patterns, where_);
  else
    rows = co_await choose(command, all->infos, patterns, where_);
  for (const auto& row : rows) {
    write_row(machine_.output(), command, row);
    if (row.info == nullptr || !row.info->selectable || row.info->id == 0) continue;
    const auto at = static_cast<std::size_t>(row.info - all->infos.data());
    const bool own = at < all->own;
    const auto& account = own ? account_ : all->shared[at - all->own].first;
    const auto granted = own ? mail::rights::all : all->shared[at - all->own].second;
    const bool sent = co_await write_further(command, *row.info, account, granted);
    if (!sent) co_return;
  }
  co_await finish(condition::ok, "", "Listed", true, false);
}

}  // namespace briefwerk::server::imap

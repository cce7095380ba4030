#include <algorithm>
#include <set>
#include <unordered_set>

#include "list_matcher.hpp"
#include "session.hpp"
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
    entry.child_info_subscribed = !command.lsub;
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
  const auto all = co_await mail().list(account_);
  if (!all) {
    complete(refusal_of(all.error()));
    co_return;
  }
  std::vector<list_matcher> patterns;
  for (const auto pattern : command.patterns) patterns.emplace_back(command.reference, pattern);
  std::vector<listed> rows;
  if (command.lsub)
    rows = co_await choose_lsub(*all, patterns, where_);
  else
    rows = co_await choose(command, *all, patterns, where_);
  for (const auto& row : rows) {
    write_row(machine_.output(), command, row);
    if (command.return_status != 0 && row.info != nullptr && row.info->selectable && row.info->id != 0)
      co_await write_status(row.name, row.info->id, command.return_status);
    // RFC 9590 §4: not of what is told for the sake of its children.
    const bool selected = row.info != nullptr && (!command.select_subscribed || row.info->subscribed);
    if (!command.return_metadata.empty() && selected && row.info->selectable && row.info->id != 0) {
      wire::get_metadata_command wanted;
      wanted.entries = command.return_metadata;
      co_await write_metadata(row.info->name, row.info->id, wanted);
    }
    if (!output_is_full()) continue;
    const bool sent = co_await send_collected();
    if (!sent) co_return;
  }
  co_await finish(condition::ok, "", "Listed", true, false);
}

}  // namespace briefwerk::server::imap

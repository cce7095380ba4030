#include "list_choice.hpp"

#include <algorithm>

namespace briefwerk::server::imap {

namespace wire = protocol::imap;

namespace {

constexpr std::string_view inbox = "INBOX";

// Whether a name below `parent` can still come behind `name`: "a b" stands between "a" and "a/b".
bool may_be_followed_below(std::string_view name, std::string_view parent) noexcept {
  return name.size() > parent.size() && name.starts_with(parent) && name[parent.size()] <= '/';
}

}  // namespace

list_choice::list_choice(const wire::list_command& command) : command_(command) {
  for (const auto pattern : command.patterns) {
    patterns_.emplace_back(command.reference, pattern);
    has_percent_ = has_percent_ || patterns_.back().has_percent();
  }
}

std::vector<list_choice::row>& list_choice::take(const store::listed_mailbox& one, bool is_shared) {
  rows_.clear();
  const std::string& name = one.info.name;
  while (!above_.empty() && !may_be_followed_below(name, above_.back())) above_.pop_back();
  const bool matches = any_matches(name);
  if (leads(one, is_shared) && !(command_.lsub && matches)) tell_above(one);
  const bool told = matches && is_told(one);
  if (told)
    rows_.push_back({.listed = &one, .name = name, .has_children = one.has_children, .has_subscribed_below = one.has_subscribed_below});
  // RFC 3501 §6.3.9: a name that is there, but not subscribed to, is for LSUB as if it were not.
  if (command_.lsub && !one.info.subscribed) return rows_;
  inbox_ = inbox_ || name == inbox;
  if (command_.lsub || command_.select_subscribed || is_shared || (told && one.info.id == 0)) above_.push_back(name);
  return rows_;
}

bool list_choice::any_matches(std::string_view name) const {
  return std::ranges::any_of(patterns_, [&](const list_matcher& one) { return one.matches(name); });
}

bool list_choice::is_told(const store::listed_mailbox& one) const {
  if (command_.lsub) return one.info.subscribed;
  const bool by_child = command_.recursive_match && one.has_subscribed_below;
  if (command_.select_subscribed && !one.info.subscribed && !by_child) return false;
  // RFC 9051 §6.3.9: "%" tells levels that are no mailboxes (any more), or who walks down by it misses what is below.
  if (!command_.select_subscribed && one.info.id == 0 && !(has_percent_ && one.has_children)) return false;
  return !command_.select_special_use || one.info.use.has_value();
}

// RFC 3501 §6.3.9: LSUB with "%". RFC 5258 §3.5: RECURSIVEMATCH. RFC 9051 §6.3.9: "%" and others' mailboxes.
bool list_choice::leads(const store::listed_mailbox& one, bool is_shared) const {
  if (command_.lsub) return has_percent_ && one.info.subscribed;
  if (command_.select_subscribed) return command_.recursive_match && one.info.subscribed;
  return is_shared && has_percent_ && !command_.select_special_use && one.info.id != 0;
}

bool list_choice::is_above(std::string_view name) const {
  return (inbox_ && name == inbox) || std::ranges::find(above_, name) != above_.end();
}

// From the highest level down, as they stand in above_.
void list_choice::tell_above(const store::listed_mailbox& one) {
  const std::string_view name = one.info.name;
  for (auto cut = name.find('/'); cut != name.npos; cut = name.find('/', cut + 1)) {
    const std::string_view parent = name.substr(0, cut);
    if (parent.empty() || is_above(parent) || !any_matches(parent)) continue;
    rows_.push_back({.listed = nullptr, .name = std::string(parent),
                     .has_children = command_.lsub || !command_.select_subscribed,
                     .has_subscribed_below = command_.lsub || command_.select_subscribed});
    const auto behind = std::ranges::find_if(above_, [&](const auto& other) { return other.size() > parent.size(); });
    above_.emplace(behind, parent);
  }
}

void list_choice::write(wire::response_writer& out, const wire::list_command& command, const row& one) {
  wire::list_entry entry;
  entry.name = one.name;
  if (one.listed == nullptr) {
    entry.no_select = entry.non_existent = true;
    entry.child_info_subscribed = !command.lsub && one.has_subscribed_below;
    if (!command.lsub) entry.has_children = one.has_children;
    out.list(entry, command.lsub);
    return;
  }
  const auto& info = one.listed->info;
  if (command.lsub) {
    entry.no_select = !info.selectable;
    out.list(entry, true);
    return;
  }
  entry.non_existent = info.id == 0;
  entry.no_select = !info.selectable && info.id != 0;
  entry.subscribed = info.subscribed && (command.return_subscribed || command.select_subscribed);
  entry.has_children = one.has_children;
  if (info.use) entry.use = {&*info.use, 1};
  entry.child_info_subscribed = command.recursive_match && one.has_subscribed_below;
  out.list(entry);
}

}  // namespace briefwerk::server::imap

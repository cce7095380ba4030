#include "store/mailbox/snapshots.hpp"

#include <algorithm>

#include "store/mailbox/mailbox_editor.hpp"
#include "store/mailbox/page_room.hpp"

namespace briefwerk::store {
namespace {

using page_ptr = std::shared_ptr<const mailbox_snapshot::page>;

struct numbered_page {
  std::uint32_t number;
  page_ptr entries;
};

std::shared_ptr<mailbox_snapshot> with_counters(mailbox_id id, const head_record& head) {
  auto made = std::make_shared<mailbox_snapshot>();
  made->id = id;
  made->uid_validity = head.uid_validity;
  made->uid_next = head.uid_next;
  made->highest_modseq = head.highest_modseq;
  made->total_size = head.total_size;
  made->unseen = head.unseen;
  made->deleted = head.deleted;
  made->keywords = head.keywords;
  return made;
}

base::result<loaded_snapshot> finish(const account_reader& read, const head_record& head,
                                     std::shared_ptr<mailbox_snapshot> made) {
  if (made->count() != head.messages) return read.corrupt(keys::of_mailbox(keys::head, made->id));
  return loaded_snapshot{std::move(made), head.changes};
}

// The finished pages of the intervals and, where they reach it, the unfinished page.
base::status read_pages(const account_reader& read, mailbox_id id, std::span<const page_interval> wanted,
                        std::uint32_t tail_page, const std::shared_ptr<page_room>& room,
                        std::vector<numbered_page>& out) {
  for (const page_interval& interval : wanted) {
    if (interval.first < tail_page) {
      const page_interval finished{interval.first, std::min(interval.last, tail_page - 1)};
      const auto one = [&](std::uint32_t number, mailbox_snapshot::page entries) {
        out.push_back({number, share(std::move(entries), room)});
        return base::status();
      };
      const auto done = read.pages(id, finished, one, resource_of(room));
      if (!done) return done;
    }
    if (interval.last < tail_page) continue;
    auto tail = read.tail(id, tail_page * uids_per_page);
    if (!tail) return base::fail(tail.error());
    if (!tail->empty()) out.push_back({tail_page, share(std::move(*tail))});
  }
  return {};
}

// The place of the first page whose number is not below `number`.
std::size_t lower_place(const mailbox_snapshot& s, std::uint32_t number) {
  const auto pages = s.pages();
  const auto at = std::ranges::lower_bound(pages, number, {}, [](const auto* p) { return page_of(p->front().uid); });
  return static_cast<std::size_t>(at - pages.begin());
}

// Null when there is none.
const mailbox_snapshot::page* page_numbered(const mailbox_snapshot& s, std::uint32_t number) {
  const std::size_t place = lower_place(s, number);
  const bool found = place < s.pages().size() && page_of(s.pages()[place]->front().uid) == number;
  return found ? s.pages()[place] : nullptr;
}

// A finished page, whose uids never come back: where they are the same as before, only flags changed.
page_ptr with_states(const mailbox_snapshot::page& before, std::span<const message_state> states,
                     const std::shared_ptr<page_room>& room) {
  mailbox_snapshot::page entries(before, resource_of(room));
  return apply_states(states, entries) ? share(std::move(entries), room) : nullptr;
}

// The finished pages of the intervals, made from the old ones where these have the same messages.
base::status refresh_pages(const account_reader& read, const mailbox_snapshot& old,
                           std::span<const page_interval> wanted, std::uint32_t old_tail,
                           const std::shared_ptr<page_room>& room, std::vector<numbered_page>& out) {
  const auto one = [&](std::uint32_t number, page_states states) -> base::status {
    if (const auto* before = page_numbered(old, number)) {
      if (auto fresh = with_states(*before, states, room)) {
        out.push_back({number, std::move(fresh)});
        return {};
      }
    }
    return read.pages(old.id, {number, number}, [&](std::uint32_t, mailbox_snapshot::page entries) {
      out.push_back({number, share(std::move(entries))});
      return base::status();
    });
  };
  for (const page_interval& interval : wanted) {
    if (interval.first >= old_tail) break;
    const auto done = read.states(old.id, {interval.first, std::min(interval.last, old_tail - 1)}, one);
    if (!done) return done;
  }
  return {};
}

// What stands in the old pages' stead, where there is one for each page of the intervals, and of the same size.
std::optional<std::vector<mailbox_snapshot::replacement>> replacements(const mailbox_snapshot& old,
                                                                       std::span<const page_interval> wanted,
                                                                       std::span<const numbered_page> fresh) {
  std::vector<mailbox_snapshot::replacement> out;
  for (const numbered_page& page : fresh) {
    const auto* before = page_numbered(old, page.number);
    if (before == nullptr || before->size() != page.entries->size()) return std::nullopt;
    out.emplace_back(lower_place(old, page.number), page.entries);
  }
  // None of the old ones is gone.
  std::size_t before = 0;
  for (const page_interval& interval : wanted)
    before += lower_place(old, interval.last + 1) - lower_place(old, interval.first);
  if (before != out.size()) return std::nullopt;
  return out;
}

// Sorts, and joins what overlaps or touches.
void tidy(std::vector<page_interval>& intervals) {
  std::ranges::sort(intervals, {}, &page_interval::first);
  std::size_t kept = 0;
  for (const page_interval& next : intervals) {
    if (kept > 0 && next.first <= intervals[kept - 1].last + 1)
      intervals[kept - 1].last = std::max(intervals[kept - 1].last, next.last);
    else
      intervals[kept++] = next;
  }
  intervals.resize(kept);
}

// What the intervals have from page `first` on.
std::vector<page_interval> from_page(std::span<const page_interval> intervals, std::uint32_t first) {
  std::vector<page_interval> rest;
  for (const page_interval& interval : intervals)
    if (interval.last >= first) rest.push_back({std::max(interval.first, first), interval.last});
  return rest;
}

// Pages touched by the changes since `before`; nothing when that is no longer known.
base::result<std::optional<std::vector<page_interval>>> changed_pages(const account_reader& read, mailbox_id id,
                                                                      const head_record& head, std::uint64_t before) {
  std::vector<page_interval> pages;
  if (head.changes < before || head.changes - before > change_record::ring_size)
    return std::optional<std::vector<page_interval>>();
  for (std::uint64_t number = before + 1; number <= head.changes; ++number) {
    auto change = read.change(id, number);
    if (!change) return base::fail(change.error());
    if (!*change) return std::optional<std::vector<page_interval>>();
    pages.insert(pages.end(), (*change)->pages.begin(), (*change)->pages.end());
  }
  tidy(pages);
  return std::optional(std::move(pages));
}

// The old pages, but those of `replaced`, for which `fresh` stands.
std::vector<page_ptr> merge(const mailbox_snapshot& old, std::span<const page_interval> replaced,
                            const std::vector<numbered_page>& fresh) {
  std::vector<page_ptr> pages;
  pages.reserve(old.pages().size() + fresh.size());
  auto next = fresh.begin();
  for (std::size_t i = 0; i < old.pages().size(); ++i) {
    const page_ptr& page = old.shared_page(i);
    const std::uint32_t number = page_of(page->front().uid);
    while (!replaced.empty() && replaced.front().last < number) replaced = replaced.subspan(1);
    if (!replaced.empty() && replaced.front().first <= number) continue;
    for (; next != fresh.end() && next->number < number; ++next) pages.push_back(next->entries);
    pages.push_back(page);
  }
  for (; next != fresh.end(); ++next) pages.push_back(next->entries);
  return pages;
}

}  // namespace

base::result<loaded_snapshot> load_snapshot(const account_reader& read, mailbox_id id, const head_record& head) {
  const std::uint32_t tail_page = page_of(head.uid_next);
  std::vector<numbered_page> found;
  found.reserve(head.messages / uids_per_page + 2);
  const page_interval everything[] = {{0, tail_page}};
  const auto room = page_room::of(head.messages);
  if (auto done = read_pages(read, id, everything, tail_page, room, found); !done) return base::fail(done.error());
  std::vector<page_ptr> pages;
  pages.reserve(found.size());
  for (auto& page : found) pages.push_back(std::move(page.entries));
  auto made = with_counters(id, head);
  made->set_pages(std::move(pages));
  return finish(read, head, std::move(made));
}

base::result<std::optional<loaded_snapshot>> refresh_snapshot(const account_reader& read, mailbox_id id,
                                                              const head_record& head, const loaded_snapshot& before,
                                                              std::size_t most_pages) {
  const mailbox_snapshot& old = *before.snapshot;
  if (old.uid_validity != head.uid_validity || old.uid_next > head.uid_next) return std::optional<loaded_snapshot>();
  auto changed = changed_pages(read, id, head, before.changes);
  if (!changed) return base::fail(changed.error());
  if (!*changed) return std::optional<loaded_snapshot>();
  const std::uint32_t old_tail = page_of(old.uid_next), tail = page_of(head.uid_next);
  std::vector<page_interval> reread = std::move(**changed);
  for (auto& interval : reread)
    interval.last = std::min(interval.last, tail);  // a change may name all pages there can be
  const bool tail_touched = std::ranges::any_of(reread, [&](const auto& i) { return i.last >= old_tail; });
  const bool only_longer = old_tail == tail && !tail_touched;
  if (!only_longer) {
    reread.push_back({old_tail, tail});
    tidy(reread);
  }
  std::size_t count = 0;
  for (const auto& interval : reread) count += interval.last - interval.first + 1;
  if (count > most_pages) return std::optional<loaded_snapshot>();

  std::vector<numbered_page> fresh;
  const auto room = page_room::of(std::min<std::size_t>(count * uids_per_page, head.messages));
  if (auto done = refresh_pages(read, old, reread, old_tail, room, fresh); !done) return base::fail(done.error());
  if (auto done = read_pages(read, id, from_page(reread, old_tail), tail, room, fresh); !done)
    return base::fail(done.error());
  if (only_longer && head.uid_next > old.uid_next) {
    auto appended = read.tail(id, old.uid_next);
    if (!appended) return base::fail(appended.error());
    mailbox_snapshot::page entries;
    if (!old.pages().empty() && page_of(old.pages().back()->front().uid) == tail) entries = *old.pages().back();
    entries.insert(entries.end(), appended->begin(), appended->end());
    reread.push_back({tail, tail});
    if (!entries.empty()) fresh.push_back({tail, share(std::move(entries))});
  }
  auto snapshot = with_counters(id, head);
  if (auto others = replacements(old, reread, fresh))
    snapshot->set_pages(old, *others);
  else
    snapshot->set_pages(merge(old, reread, fresh));
  auto made = finish(read, head, std::move(snapshot));
  if (!made) return base::fail(made.error());
  return std::optional(std::move(*made));
}

std::optional<loaded_snapshot> with_changed_flags(mailbox_id id, const head_record& head, const loaded_snapshot& before,
                                                  std::span<const changed_page> pages) {
  const mailbox_snapshot& old = *before.snapshot;
  if (old.uid_validity != head.uid_validity || old.uid_next != head.uid_next || old.count() != head.messages)
    return std::nullopt;
  std::vector<mailbox_snapshot::replacement> others;
  for (const changed_page& changed : pages) {
    const auto* const page = page_numbered(old, changed.number);
    auto fresh = page == nullptr ? nullptr : with_states(*page, changed.states, nullptr);
    if (!fresh) return std::nullopt;
    others.emplace_back(lower_place(old, changed.number), std::move(fresh));
  }
  auto made = with_counters(id, head);
  made->set_pages(old, others);
  return loaded_snapshot{std::move(made), head.changes};
}

std::optional<snapshot_cache::entry> snapshot_cache::get(std::string_view partition, mailbox_id id) {
  std::lock_guard lock(mutex_);
  const auto at = places_.find({partition, id});
  if (at == places_.end()) return std::nullopt;
  used_.splice(used_.begin(), used_, at->second);
  return at->second->value;
}

void snapshot_cache::put(std::string_view partition, mailbox_id id, entry value) {
  const mailbox_snapshot& kept = *value.loaded.snapshot;
  constexpr std::uint64_t page_cost = 96, fixed_cost = 512;  // allocations beside the entries, by estimate
  const std::uint64_t octets = kept.count() * sizeof(message_entry) + kept.pages().size() * page_cost + fixed_cost;
  order gone;  // freed without the lock
  std::lock_guard lock(mutex_);
  if (const auto at = places_.find({partition, id}); at != places_.end()) {
    if (at->second->value.version > value.version) return;
    octets_ += octets - at->second->octets;
    at->second->octets = octets;
    std::swap(at->second->value, value);
    used_.splice(used_.begin(), used_, at->second);
  } else {
    used_.push_front({std::string(partition), id, std::move(value), octets});
    places_.emplace(key_view{used_.front().partition, id}, used_.begin());
    octets_ += octets;
  }
  while (octets_ > most_octets_ && !used_.empty()) {
    const auto last = std::prev(used_.end());
    octets_ -= last->octets;
    places_.erase({last->partition, last->id});
    gone.splice(gone.end(), used_, last);
  }
}

void snapshot_cache::drop(std::string_view partition, mailbox_id id) {
  std::lock_guard lock(mutex_);
  const auto at = places_.find({partition, id});
  if (at == places_.end()) return;
  const auto found = at->second;
  octets_ -= found->octets;
  places_.erase(at);
  used_.erase(found);
}

}  // namespace briefwerk::store

#pragma once

// Bodies of sequence_view.hpp's templates.

#include "briefwerk/protocol/imap/sequence_view.hpp"

namespace briefwerk::protocol::imap {

namespace detail {

// Ascending and disjoint, touching ranges joined.
void sort_ranges(std::vector<index_range>& ranges);

// Position in a snapshot: entry `at` of page `page`, message `index`.
template <class S>
struct cursor {
  const S& s;
  std::size_t page = 0, at = 0;
  std::uint32_t index = 0;

  bool at_end() const { return page == s.pages().size(); }
  const auto& entry() const { return (*s.pages()[page])[at]; }
  std::uint64_t uid() const { return at_end() ? std::numeric_limits<std::uint64_t>::max() : entry().uid; }
  void step() {
    ++index;
    if (++at == s.pages()[page]->size()) at = 0, ++page;
  }
  void skip_page() {
    index += static_cast<std::uint32_t>(s.pages()[page]->size());
    ++page;
  }
};

template <class S>
std::size_t index_after(const S& s, std::uint32_t uid) {
  return uid == std::numeric_limits<std::uint32_t>::max() ? s.count() : s.lower_bound(uid + 1);
}

}  // namespace detail

template <snapshot S>
base::result<std::vector<index_range>> resolve(const S& s, const number_set& set, bool by_uid, const mail::uid_set& saved) {
  std::vector<index_range> found;
  const auto count = static_cast<std::uint32_t>(s.count());
  const std::uint32_t largest = by_uid && count != 0 ? s.at(count - 1).uid : count;
  const auto add_uids = [&](std::uint32_t first, std::uint32_t last) {
    const auto from = static_cast<std::uint32_t>(s.lower_bound(first));
    const auto to = static_cast<std::uint32_t>(detail::index_after(s, last));
    if (from < to) found.push_back({from, to});
  };
  if (set.saved) {
    for (const auto& range : saved.ranges()) add_uids(range.first, range.last);
    return found;
  }
  found.reserve(set.ranges.size());
  for (const auto& range : set.ranges) {
    auto first = range.first == 0 ? largest : range.first;
    auto last = range.last == 0 ? largest : range.last;
    if (first > last) std::swap(first, last);
    if (by_uid) {
      if (count != 0) add_uids(first, last);
    } else {
      if (first == 0 || last > count) return base::fail(errc::bad_set);
      found.push_back({first - 1, last});
    }
  }
  detail::sort_ranges(found);
  return found;
}

template <snapshot S, class F>
void for_each_message(const S& s, std::span<const index_range> ranges, F&& f) {
  const auto pages = s.pages();
  std::size_t page = 0;
  for (const auto& range : ranges) {
    std::size_t index = range.first;
    if (page < pages.size() && index >= s.page_start(page) + pages[page]->size()) {
      // The page that holds `index`: the last whose start is not above it.
      std::size_t low = page, high = pages.size();
      while (high - low > 1) {
        const auto middle = low + (high - low) / 2;
        (s.page_start(middle) <= index ? low : high) = middle;
      }
      page = low;
    }
    while (index < range.last && page < pages.size()) {
      const auto start = s.page_start(page);
      const auto end = std::min<std::size_t>(range.last, start + pages[page]->size());
      for (; index < end; ++index) f(static_cast<std::uint32_t>(index + 1), (*pages[page])[index - start]);
      if (index < range.last) ++page;
    }
  }
}

template <snapshot S>
mail::uid_set uids_of(const S& s, std::span<const index_range> ranges) {
  mail::uid_set uids;
  for_each_message(s, ranges, [&](std::uint32_t, const auto& entry) { uids.insert(entry.uid); });
  return uids;
}

template <snapshot S>
mailbox_changes compare(const S& announced, const S& latest, const mail::uid_set& told, std::uint64_t told_modseq) {
  mailbox_changes changes;
  changes.exists = static_cast<std::uint32_t>(latest.count());
  const std::span<const std::string> before = announced.keywords, after = latest.keywords;
  changes.keywords = !std::ranges::equal(before, after);
  detail::cursor<S> old{announced}, now{latest};
  while (!old.at_end() || !now.at_end()) {
    if (!old.at_end() && !now.at_end() && old.at == 0 && now.at == 0 &&
        announced.pages()[old.page] == latest.pages()[now.page]) {
      old.skip_page();
      now.skip_page();
      continue;
    }
    const auto uid = old.uid(), other = now.uid();
    if (uid < other) {
      changes.expunged.push_back(old.index + 1 - static_cast<std::uint32_t>(changes.expunged.size()));
      changes.vanished.insert(static_cast<std::uint32_t>(uid));
      old.step();
    } else if (uid > other) {
      changes.arrived = true;
      now.step();
    } else {
      const auto& entry = now.entry();
      if (entry.modseq != old.entry().modseq && !(entry.modseq <= told_modseq && told.contains(entry.uid))) {
        changes.changed.push_back(now.index);
      }
      old.step();
      now.step();
    }
  }
  return changes;
}

template <snapshot S>
void write_changes(response_writer& out, const S& latest, const mailbox_changes& changes, change_style style) {
  if (style.vanished) {
    out.vanished(changes.vanished, false);
  } else {
    for (const auto sequence : changes.expunged) out.expunge(sequence);
  }
  const std::span<const std::string> keywords = latest.keywords;
  if (changes.keywords) out.flags(keywords);
  if (changes.arrived) {
    out.exists(changes.exists);
    if (style.tells_recent) out.recent(style.recent_count);
  }
  for (const auto index : changes.changed) {
    const auto& entry = latest.at(index);
    auto row = out.fetch(index + 1, entry.uid);
    if (style.uid) row.uid(entry.uid);
    const bool recent = style.recent != nullptr && style.recent->contains(entry.uid);
    row.flags(entry.flags | (recent ? mail::flags::recent : 0), keywords);
    if (style.modseq) row.modseq(entry.modseq);
  }
}

}  // namespace briefwerk::protocol::imap

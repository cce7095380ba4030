// What a client missed while it was away (RFC 7162 §3.2.5, §3.2.6).

#include <algorithm>

#include "pages.hpp"
#include "session.hpp"

namespace briefwerk::server::imap {
namespace {

// The UIDs meant that were ever given in this mailbox.
mail::uid_set uids_below(const wire::number_set& set, std::uint32_t uid_next) {
  mail::uid_set out;
  if (uid_next < 2) return out;
  for (auto [first, last] : set.ranges) {
    if (first == 0) first = uid_next - 1;
    if (last == 0) last = uid_next - 1;
    if (first > last) std::swap(first, last);
    if (first < uid_next) out.insert(first, std::min(last, uid_next - 1));
  }
  return out;
}

// Those that the mailbox does not have.
mail::uid_set missing_of(const mail::uid_set& asked, const store::mailbox_snapshot& mailbox) {
  mail::uid_set out;
  for (const auto& range : asked.ranges()) {
    std::uint32_t next = range.first;
    bool ends = false;
    for (std::size_t i = mailbox.lower_bound(range.first); i < mailbox.count() && !ends; ++i) {
      const std::uint32_t uid = mailbox.at(i).uid;
      if (uid > range.last) break;
      if (uid > next) out.insert(next, uid - 1);
      ends = uid == range.last;
      next = uid + 1;
    }
    if (!ends && next <= range.last) out.insert(next, range.last);
  }
  return out;
}

// Walks through the numbers of a set in the order of writing.
class numbers {
 public:
  explicit numbers(const wire::number_set& set) : ranges_(set.ranges) {}
  bool next(std::uint32_t& out) {
    while (!ranges_.empty()) {
      const auto& range = ranges_.front();
      if (range.first != 0 && range.first + std::uint64_t{at_} <= range.last) {
        out = range.first + at_++;
        return true;
      }
      ranges_ = ranges_.subspan(1);
      at_ = 0;
    }
    return false;
  }

 private:
  std::span<const mail::uid_range> ranges_;
  std::uint32_t at_ = 0;
};

// §3.2.5.2: the last message of which client and mailbox have the same number and UID; of what was before it, the
// client knows. 0: none.
std::uint32_t last_match(const wire::qresync_parameters& known, const store::mailbox_snapshot& mailbox) {
  std::uint32_t matched = 0;
  if (!known.match_sequences || !known.match_uids) return matched;
  numbers sequences(*known.match_sequences), uids(*known.match_uids);
  for (std::uint32_t sequence = 0, uid = 0; sequences.next(sequence) && uids.next(uid);) {
    if (sequence > mailbox.count() || mailbox.at(sequence - 1).uid != uid) break;
    matched = uid;
  }
  return matched;
}

}  // namespace

// Of `asked`, what was removed after `modseq`. Where nobody knows any more: all that is missing but what was before
// `known_below`, of which the client knows.
base::task<base::result<mail::uid_set>> session::vanished_since(std::uint64_t modseq, mail::uid_set asked,
                                                                std::uint32_t known_below) {
  const auto known = announced_;
  auto removed = co_await mail().expunged_since(owner_, selected_, modseq);
  if (!removed) co_return base::fail(removed.error());
  if (known_below != 0) asked.erase(1, known_below);
  if (*removed) asked = asked.intersection(**removed);
  co_return missing_of(asked, *known);
}

base::task<bool> session::write_resync(const wire::qresync_parameters& known) {
  const auto mailbox = announced_;
  if (mailbox->uid_next < 2 || known.uid_validity != mailbox->uid_validity) co_return true;
  mail::uid_set asked{{1, mailbox->uid_next - 1}};
  if (known.known_uids) asked = uids_below(*known.known_uids, mailbox->uid_next);
  auto vanished = co_await vanished_since(known.modseq, asked, last_match(known, *mailbox));
  if (vanished) machine_.output().vanished(*vanished, true);
  for (const auto& range : asked.ranges()) {
    const auto last = static_cast<std::uint32_t>(mailbox->lower_bound(range.last + 1));
    for (auto i = static_cast<std::uint32_t>(mailbox->lower_bound(range.first)); i < last;) {
      const page_rest page(*mailbox, i);
      const std::uint32_t begin = i, end = std::min(last, page.end);
      for (; i < end; ++i) {
        const auto& entry = page.first[i - begin];
        if (entry.modseq <= known.modseq) continue;
        auto row = machine_.output().fetch(i + 1, entry.uid);
        row.uid(entry.uid).flags(entry.flags | recent_flag(entry.uid), mailbox->keywords).modseq(entry.modseq);
      }
      if (!output_is_full()) continue;
      const bool sent = co_await send_collected();
      if (!sent) co_return false;
    }
  }
  co_return true;
}

// UID FETCH … (CHANGEDSINCE … VANISHED): before the rows.
base::task<void> session::write_vanished(const wire::fetch_command& command) {
  mail::uid_set asked = saved_;
  if (!command.messages.saved) asked = uids_below(command.messages, announced_->uid_next);
  const auto vanished = co_await vanished_since(*command.changed_since, std::move(asked), 0);
  if (vanished) machine_.output().vanished(*vanished, true);
}

}  // namespace briefwerk::server::imap

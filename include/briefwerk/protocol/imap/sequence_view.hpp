#pragma once

// Sequence numbers. A session keeps two immutable snapshots of its mailbox: `announced`, whose sequence numbers the client
// knows, and `latest`. Where EXPUNGE is allowed (RFC 9051 §7.5.1: not in answer to FETCH, STORE, SEARCH by sequence number,
// nor with no command under way) the difference is written and `announced` becomes `latest`:
//
//   const auto changes = compare(*announced, *latest);
//   if (may_expunge || changes.expunged.empty()) {
//     write_changes(session.output(), *latest, changes, uid_needed);
//     announced = latest;
//   }
//
// Works on anything that has the shape of store::mailbox_snapshot; every function is pure.

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "briefwerk/base/result.hpp"
#include "briefwerk/mail/uid_set.hpp"
#include "briefwerk/protocol/imap/errc.hpp"
#include "briefwerk/protocol/imap/response_writer.hpp"
#include "briefwerk/protocol/imap/set.hpp"

namespace briefwerk::protocol::imap {

template <class S>
concept snapshot = requires(const S& s, std::size_t i, std::uint32_t uid) {
  { s.count() } -> std::convertible_to<std::size_t>;
  { s.pages().size() } -> std::convertible_to<std::size_t>;
  { s.page_start(i) } -> std::convertible_to<std::size_t>;
  { s.lower_bound(uid) } -> std::convertible_to<std::size_t>;
  { s.at(i).uid } -> std::convertible_to<std::uint32_t>;
  { (*s.pages()[i])[0].modseq } -> std::convertible_to<std::uint64_t>;
  { (*s.pages()[i])[0].flags } -> std::convertible_to<std::uint64_t>;
  { s.keywords } -> std::convertible_to<std::span<const std::string>>;
};

// Messages first to last - 1 of a snapshot, counted from 0.
struct index_range {
  std::uint32_t first = 0, last = 0;
  bool operator==(const index_range&) const = default;
};

// What a sequence-set means on a snapshot: ascending, disjoint. UIDs that do not exist are left out (RFC 9051 §6.4.9);
// a sequence number above the count, or "*" in an empty mailbox, is errc::bad_set (RFC 9051 §9, seq-number: BAD).
// `saved`: the UIDs that "$" means (RFC 5182).
template <snapshot S>
base::result<std::vector<index_range>> resolve(const S& s, const number_set& set, bool by_uid,
                                               const mail::uid_set& saved = {});

// Calls f(sequence number, entry) for each message, ascending.
template <snapshot S, class F>
void for_each_message(const S& s, std::span<const index_range> ranges, F&& f);

template <snapshot S>
mail::uid_set uids_of(const S& s, std::span<const index_range> ranges);

inline std::size_t count_of(std::span<const index_range> ranges) noexcept {
  std::size_t count = 0;
  for (const auto& range : ranges) count += range.last - range.first;
  return count;
}

struct mailbox_changes {
  std::vector<std::uint32_t> expunged;  // sequence numbers in the order of sending, each as it is when it is sent
  mail::uid_set vanished;               // the same messages by UID
  std::vector<std::uint32_t> changed;   // indices in `latest` of messages that both have and whose modseq differs
  std::uint32_t exists = 0;             // count of `latest`
  bool arrived = false;                 // there are new messages
  bool keywords = false;                // the mailbox has other keywords
  bool empty() const noexcept { return expunged.empty() && changed.empty() && !arrived && !keywords; }
};

// Costs the pages that are not shared. A changed message in `told` whose modseq is at most `told_modseq` is left out: the
// client knows already (STORE.SILENT, or the FETCH responses of a STORE).
template <snapshot S>
mailbox_changes compare(const S& announced, const S& latest, const mail::uid_set& told = {}, std::uint64_t told_modseq = 0);

struct change_style {
  bool uid = false;       // UID in FETCH responses (RFC 9051 §7.5.2: after UID commands)
  bool modseq = false;    // after CONDSTORE was enabled (RFC 7162 §3.2)
  bool vanished = false;  // VANISHED in place of EXPUNGE, after QRESYNC was enabled (RFC 7162 §3.2.10)
  // Of IMAP4rev1: the UIDs that are \Recent in this session, whether there are new ones, and how many `latest` has.
  const mail::uid_set* recent = nullptr;
  bool tells_recent = false;
  std::uint32_t recent_count = 0;
};
template <snapshot S>
void write_changes(response_writer& out, const S& latest, const mailbox_changes& changes, change_style style);

}  // namespace briefwerk::protocol::imap

#include "briefwerk/protocol/imap/detail/sequence_view.hpp"

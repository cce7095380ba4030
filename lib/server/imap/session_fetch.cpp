#include "session.hpp"

#include <algorithm>

#include "briefwerk/mail/summary.hpp"
#include "pages.hpp"
#include "slices.hpp"
#include "yield.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;

namespace {

// A batch ends at so many messages: few at first, so that a small answer needs little memory, then an eighth of those
// already sent, up to the second.
constexpr std::size_t first_batch_messages = 16, batch_messages = 256;
// Octets of messages are read for a batch up to twice what was sent before, but within these.
constexpr std::uint64_t first_batch_read = 16u << 10, batch_read = 1u << 20;
// Octets of a large message that are read for what stands at its beginning, and how many times more when these were not
// enough.
constexpr std::uint64_t first_beginning = 16u << 10, beginning_growth = 8;
// Rows of more than these are worth a page.
constexpr std::size_t few_messages = 8;
// So many summaries in a row that are not asked for: it is quicker to look for the next one that is.
constexpr unsigned most_unasked = 64;
// Batches between two looks at the thread's other sessions, when the client takes all at once.
constexpr unsigned batches_in_a_row = 4;
constexpr std::uint64_t octets_in_a_row = 256u << 10;  // the same, of rows that are ready

// Walks ranges of indices from a place on.
class cursor {
 public:
  explicit cursor(std::span<const wire::index_range> ranges) noexcept : ranges_(ranges) {
    if (!ranges_.empty()) at_ = ranges_[0].first;
  }
  bool at_end() const noexcept { return range_ == ranges_.size(); }
  std::uint32_t index() const noexcept { return at_; }
  std::uint32_t range_end() const noexcept { return ranges_[range_].last; }
  // To an index of this range, or its end.
  void advance_to(std::uint32_t index) noexcept {
    at_ = index;
    if (at_ < ranges_[range_].last) return;
    if (++range_ < ranges_.size()) at_ = ranges_[range_].first;
  }

 private:
  std::span<const wire::index_range> ranges_;
  std::size_t range_ = 0;
  std::uint32_t at_ = 0;
};

std::uint64_t size_of(const wire::result_range& range) noexcept {
  return static_cast<std::uint64_t>(range.from_end() ? range.first - range.last : range.last - range.first) + 1;
}

}  // namespace

base::task<void> session::run(const wire::fetch_command& command) {
  const bool alive = co_await refresh(false, command.by_uid);
  if (!alive) co_return;
  auto what = select_messages(command.messages, command.by_uid);
  if (!what) co_return;
  if (command.partial && options().message_limit != 0 && size_of(*command.partial) > options().message_limit) {
    const std::string code = codes::message_limit(options().message_limit, 0);
    machine_.complete(condition::no, code, "Too many messages");  // RFC 9738 §3.1
    co_return;
  }
  if (command.partial) narrow(*what, *command.partial);
  const std::uint32_t lowest = keep_highest(*what);
  if (lowest != 0) turn_round(*what);
  if (command.vanished) co_await write_vanished(command);
  if ((command.kinds & wire::bit(wire::fetch_kind::flags)) != 0) tell_new_keywords();
  fetch_plan plan(command, machine_.is_read_only() || !may(mail::rights::seen));
  bool incomplete = false, sent = true;
  if (what->count > few_messages) machine_.output().expect(send_at_ + send_at_ / 3);
  if (plan.index_only())
    sent = co_await fetch_from_index(command, plan, *what);
  else if (!plan.needs_octets())
    sent = co_await fetch_summaries(command, plan, *what, incomplete);
  else
    sent = co_await fetch_batches(command, plan, *what, incomplete);
  if (!sent) co_return;
  modseqs_shown_ = (command.kinds & wire::bit(wire::fetch_kind::modseq)) != 0 || (plan.sets_seen() && machine_.is_condstore());
  fetched_ += static_cast<std::uint32_t>(what->count);
  std::string code;
  std::string_view text = "Fetched";
  if (incomplete) {
    code = codes::expunge_issued;
    text = "Some messages are gone";
  } else if (plan.met_unknown_encoding()) {
    code = "UNKNOWN-CTE";
    text = "Unknown transfer encoding";
  }
  const auto how = code.empty() ? condition::ok : condition::no;
  code = limited(std::move(code), lowest);
  co_await finish(how, code, text, command.by_uid, command.by_uid);
}

// RFC 9394 §3.3: the messages at these places of the selection.
void session::narrow(selection& what, const wire::result_range& to) {
  const auto [first, last] = span_of(to, what.count);
  index_ranges kept;
  std::size_t at = 0;
  for (const auto& range : what.ranges) {
    const std::size_t end = at + range.last - range.first;
    const auto low = std::max(at, first), high = std::min(end, last);
    if (low < high) {
      kept.push_back({range.first + static_cast<std::uint32_t>(low - at), range.first + static_cast<std::uint32_t>(high - at)});
    }
    at = end;
  }
  what.ranges = std::move(kept);
  what.count = last - first;
}

// Rows made of index entries alone: page by page, without a look at anything else.
base::task<bool> session::fetch_from_index(const wire::fetch_command& command, const fetch_plan& plan,
                                           const selection& what) {
  auto& out = machine_.output();
  const auto known = announced_, now = latest_;
  const bool same = known == now;
  std::uint64_t sent_before = octets_sent_;
  for (cursor at(what.ranges); !at.at_end();) {
    while (!at.at_end() && !output_is_full()) {
      const page_rest page(*known, at.index());
      const std::uint32_t begin = at.index(), end = std::min(at.range_end(), page.end);
      for (std::uint32_t i = begin; i < end; ++i) {
        const auto& entry = page.first[i - begin];
        const auto* const fresh = same ? &entry : now->find(entry.uid);
        const auto& shown = fresh != nullptr ? *fresh : entry;
        if (command.changed_since && shown.modseq <= *command.changed_since) continue;
        plan.write_from_index(out, i + 1, entry, shown.flags | recent_flag(entry.uid), shown.modseq, fresh != nullptr ? now->keywords : known->keywords);
      }
      at.advance_to(end);
    }
    if (at.at_end()) break;
    const bool sent = co_await send_collected();
    if (!sent) co_return false;
    if (octets_sent_ - sent_before < octets_in_a_row) continue;
    sent_before = octets_sent_;
    co_await yield{where_};
  }
  co_return true;
}

// Rows made of summaries, as they lie in the store: those that follow each other in one go, up to what is sent at once.
base::task<bool> session::fetch_summaries(const wire::fetch_command& command, fetch_plan& plan, const selection& what,
                                          bool& incomplete) {
  const auto known = announced_;
  cursor at(what.ranges);
  const auto skip_unwanted = [&] {
    if (!command.changed_since) return;
    while (!at.at_end() && subject_at(at.index()).modseq <= *command.changed_since) at.advance_to(at.index() + 1);
  };
  unsigned unasked = 0;
  bool ended = false, absent = false;  // why the walk ended: enough is written; the next summary is not there
  const store::summary_function one_row = [&](const store::stored_summary& row) {
    auto subject = subject_at(at.index());
    if (row.uid < subject.entry->uid) return !(ended = ++unasked == most_unasked);
    absent = row.uid > subject.entry->uid || row.summary.empty();
    if (absent) return false;
    unasked = 0;
    subject.summary = row.summary;
    write_fetched(plan, subject);
    at.advance_to(at.index() + 1);
    skip_unwanted();
    ended = at.at_end() || output_is_full();
    return !ended;
  };
  std::vector<fetch_subject> batch;
  fetch_memory memory;
  unsigned batches = 0;
  std::uint64_t sent_before = octets_sent_;
  for (skip_unwanted(); !at.at_end();) {
    ended = absent = false;
    unasked = 0;
    const std::uint32_t first = known->at(at.index()).uid, last = known->at(at.range_end() - 1).uid;
    const auto visited = co_await mail().visit_summaries(owner_, selected_, first, last, one_row);
    const bool missed = !ended && !at.at_end() && known->at(at.index()).uid <= last;
    if (!visited || absent || missed) {
      batch.clear();
      memory.clear();
      for (; !at.at_end() && batch.size() < first_batch_messages; skip_unwanted()) {
        batch.push_back(subject_at(at.index()));
        at.advance_to(at.index() + 1);
      }
      co_await load_summaries(batch, memory);
      const bool written = co_await write_rows(plan, batch, incomplete);
      if (!written) co_return false;
      ++batches;
    }
    if (output_is_full()) {
      const bool sent = co_await send_collected();
      if (!sent) co_return false;
    }
    if (batches >= batches_in_a_row || octets_sent_ - sent_before >= octets_in_a_row) {
      batches = 0;
      sent_before = octets_sent_;
      co_await yield{where_};
    }
  }
  co_return true;
}

fetch_subject session::subject_at(std::uint32_t index) const {
  const auto& entry = announced_->at(index);
  const auto* const fresh = current(entry);
  const auto& shown = fresh != nullptr ? *fresh : entry;
  return {.sequence = index + 1, .entry = &entry, .flags = shown.flags, .modseq = shown.modseq,
          .in_mailbox = fresh != nullptr, .report_flags = false, .missing = false, .summary = {}, .octets = {}};
}

base::task<bool> session::fetch_batches(const wire::fetch_command& command, fetch_plan& plan, const selection& what,
                                        bool& incomplete) {
  std::vector<fetch_subject> batch;
  fetch_memory memory;
  batch.reserve(std::min(what.count, first_batch_messages));
  std::size_t most = first_batch_messages, read_so_far = 0, in_a_row = 0;
  std::uint64_t octets_read = 0;
  const bool by_beginnings = plan.needs_beginning_only();
  const std::uint64_t least = std::max(first_beginning, plan.least_beginning());
  for (cursor at(what.ranges); !at.at_end();) {
    batch.clear();
    memory.clear();
    std::uint64_t octets = 0;
    // What sets \Seen does so for the whole batch in one commit: not for each large message by itself.
    const auto most_read = plan.sets_seen() ? batch_read : std::clamp(2 * (octets_sent_ - sent_before_command_), first_batch_read, batch_read);
    while (!at.at_end() && batch.size() < most && octets < most_read) {
      auto subject = subject_at(at.index());
      if (!command.changed_since || subject.modseq > *command.changed_since) {
        octets += by_beginnings ? std::min<std::uint64_t>(subject.entry->size, least) : subject.entry->size;
        batch.push_back(std::move(subject));
      }
      at.advance_to(at.index() + 1);
    }
    read_so_far += batch.size();
    most = std::clamp(read_so_far / 8, first_batch_messages, batch_messages);
    if (by_beginnings)
      co_await load_beginnings(batch, memory, least, [&](std::string_view beginning) { return plan.is_enough(beginning); });
    else
      co_await load_octets(batch, memory);
    if (plan.needs_summary()) co_await load_summaries(batch, memory);
    if (plan.sets_seen()) co_await set_seen(batch);
    const bool sent = co_await write_rows(plan, batch, incomplete);
    if (!sent) co_return false;
    in_a_row += batch.size();
    octets_read += octets;
    if (in_a_row < batches_in_a_row * most && octets_read < batches_in_a_row * batch_read) continue;
    in_a_row = 0;
    octets_read = 0;
    co_await yield{where_};
  }
  co_return true;
}

// \Seen for the whole batch in one commit. Where the store refuses, the messages are shown all the same.
base::task<void> session::set_seen(std::vector<fetch_subject>& batch) {
  mail::uid_set unseen;
  for (const auto& subject : batch)
    if (subject.in_mailbox && !subject.missing && (subject.flags & mail::flags::seen) == 0) unseen.insert(subject.entry->uid);
  if (unseen.empty()) co_return;
  store::flag_list seen;
  seen.system = mail::flags::seen;
  auto changed = co_await mail().change_flags(owner_, selected_, std::move(unseen), store::flag_change::add,
                                              std::move(seen), std::nullopt);
  if (!changed) co_return;
  latest_ = changed->after;
  mail::uid_set told;
  for (auto& subject : batch) {
    if (!std::binary_search(changed->changed.begin(), changed->changed.end(), subject.entry->uid)) continue;
    const auto* const fresh = latest_->find(subject.entry->uid);
    if (fresh == nullptr) continue;
    subject.flags = fresh->flags;
    subject.modseq = fresh->modseq;
    subject.report_flags = true;
    subject.report_identity = machine_.is_condstore();
    told.insert(fresh->uid);
  }
  remember_told(told);
}

// One scan for each run of neighbours. What the store has not any more is made from the message itself.
base::task<void> session::load_summaries(std::vector<fetch_subject>& batch, fetch_memory& memory) {
  for (std::size_t first = 0; first < batch.size();) {
    std::size_t last = first + 1;
    while (last < batch.size() && batch[last].sequence == batch[last - 1].sequence + 1) ++last;
    std::uint32_t from = batch[first].entry->uid;
    const std::uint32_t to = batch[last - 1].entry->uid;
    for (std::size_t next = first; next < last;) {
      auto found = co_await mail().summaries(owner_, selected_, from, to, last - next);
      if (!found || found->rows.empty()) break;
      for (const auto& row : found->rows) {
        while (next < last && batch[next].entry->uid < row.uid) ++next;
        if (next < last && batch[next].entry->uid == row.uid) batch[next++].summary = row.summary;
      }
      const bool more = found->more && found->rows.back().uid < to;
      from = found->rows.back().uid + 1;
      memory.summaries.push_back(std::move(*found));
      if (!more) break;
    }
    first = last;
  }
  for (auto& subject : batch) {
    if (!subject.summary.empty() || subject.missing) continue;
    store::message_octets octets = subject.octets;
    if (octets.size() < subject.entry->size) {
      auto read = co_await mail().read(subject.entry->blob);
      if (!read) {
        subject.missing = true;
        continue;
      }
      octets = std::move(*read);
    }
    memory.made.push_back(std::make_unique<std::string>(mail::encode_summary(mail::summarise(octets.view()))));
    subject.summary = *memory.made.back();
  }
}

base::task<void> session::load_octets(std::vector<fetch_subject>& batch, fetch_memory& memory) {
  for (const auto& subject : batch) memory.blobs.push_back(subject.entry->blob);
  memory.octets.resize(batch.size(), base::fail(base::errc::not_found));
  co_await mail().read_all(memory.blobs, memory.octets);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (memory.octets[i])
      batch[i].octets = std::move(*memory.octets[i]);
    else
      batch[i].missing = true;
  }
}

// Those that are no longer than a beginning are read whole, all in one call.
base::task<void> session::load_beginnings(std::vector<fetch_subject>& batch, fetch_memory& memory, std::uint64_t least,
                                          std::function<bool(std::string_view)> is_enough) {
  const std::uint64_t first = std::max(least, first_beginning);
  for (const auto& subject : batch)
    if (subject.entry->size <= first) memory.blobs.push_back(subject.entry->blob);
  memory.octets.resize(memory.blobs.size(), base::fail(base::errc::not_found));
  if (!memory.blobs.empty()) co_await mail().read_all(memory.blobs, memory.octets);
  auto next = memory.octets.begin();
  for (auto& subject : batch) {
    if (subject.entry->size <= first) {
      subject.missing = !*next;
      if (*next) subject.octets = std::move(**next);
      ++next;
      continue;
    }
    for (std::uint64_t most = first;; most *= beginning_growth) {
      auto octets = co_await mail().read_beginning(subject.entry->blob, most);
      subject.missing = !octets;
      if (!octets) break;
      subject.octets = std::move(*octets);
      const std::string_view known = subject.octets.view();
      if (known.size() < most || known.size() >= subject.entry->size || is_enough(known)) break;
    }
  }
}

void session::write_fetched(fetch_plan& plan, fetch_subject& subject) {
  subject.flags |= recent_flag(subject.entry->uid);
  plan.write(machine_.output(), subject, subject.in_mailbox ? latest_->keywords : announced_->keywords);
}

// A row is sent in parts, and others have their turn in between: one command can ask for a part of a message, decoded, as
// often as fits its line.
base::task<bool> session::write_rows(fetch_plan& plan, std::vector<fetch_subject>& batch, bool& incomplete) {
  slices turn(*options().clock, where_);
  for (auto& subject : batch) {
    if (subject.missing) {
      incomplete = true;
      continue;
    }
    subject.flags |= recent_flag(subject.entry->uid);
    const std::span<const std::string> keywords = subject.in_mailbox ? latest_->keywords : announced_->keywords;
    auto row = plan.begin(machine_.output(), subject);
    plan.write_unasked(row, subject, keywords);
    for (std::size_t i = 0; i < plan.items(); ++i) {
      plan.write_item(row, i, subject, keywords);
      if (i + 1 == plan.items()) row.end();
      if (output_is_full()) {
        const bool sent = co_await send_collected();
        if (!sent) co_return false;
      }
      if (plan.needs_octets() && turn.is_over()) co_await turn.next();
    }
  }
  co_return true;
}

}  // namespace briefwerk::server::imap

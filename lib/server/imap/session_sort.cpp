#include <algorithm>
#include <mutex>

#include "message_order.hpp"
#include "pages.hpp"
#include "session.hpp"
#include "slices.hpp"
#include "sort_digest.hpp"
#include "sort_tables.hpp"
#include "sweep.hpp"
#include "thread_tree.hpp"

namespace briefwerk::server::imap {

using wire::condition;

namespace {

// Messages of which nothing is kept are read so many at once.
constexpr std::size_t absent_messages = 16;
// So many summaries in a row that are not asked for: it is quicker to look for the next one that is.
constexpr unsigned most_unasked = 64;
// Digests that are read, or written, between two looks at other work, and how often that is tried while messages change.
constexpr std::uint32_t digests_at_once = 16;
constexpr unsigned most_tries = 10;
// Summaries between two looks at the clock.
constexpr std::size_t rows_in_a_row = 16;
// Messages of which the subjects are looked up between two.
constexpr std::size_t subjects_in_a_row = 4096;

thread_message to_thread(std::uint32_t number, const store::message_entry& entry,
                         const mail::message_summary_view& summary) {
  thread_message out;
  out.number = number;
  out.sent = summary.sent ? summary.sent->time_since_epoch().count() : entry.internal_date;
  out.base_subject = summary.base_subject;
  out.is_reply = summary.is_reply;
  out.message_id = summary.message_id;
  summary.for_each_reference([&](std::string_view id) { out.references.push_back(id); });
  return out;
}

mail::message_summary_view view_of(std::string_view summary) {
  const auto read = mail::view_summary(summary);
  return read ? *read : mail::message_summary_view();
}

// Signed numbers as unsigned ones in the same order.
std::uint64_t ordered(std::int64_t number) noexcept {
  return static_cast<std::uint64_t>(number) ^ (std::uint64_t{1} << 63);
}

// Most of the messages that it knows are gone from a mailbox of so many.
bool is_outdated(shared_sort_table& shared, std::size_t messages) {
  std::lock_guard lock(shared.mutex);
  return shared.table.size() / 2 > std::max(messages, sort_tables::least_messages);
}

// RFC 5256 §2.2: the internal date where there is no Date field that can be read.
void write_dates(const sort_table& table, std::span<const std::uint32_t> uids,
                 std::span<const store::message_entry* const> messages, std::span<std::uint64_t> out) {
  table.find(uids, [&](std::size_t i, std::size_t place) {
    const auto sent = place < table.size() ? table.sent(place) : std::nullopt;
    out[i] = ordered(sent.value_or(messages[i]->internal_date));
  });
}

// False: a piece of the sorting was done, and there is more.
bool write_text_keys(shared_sort_table& shared, wire::sort_field field, std::span<const std::uint32_t> uids,
                     std::span<std::uint64_t> out) {
  std::lock_guard lock(shared.mutex);
  sort_table& table = shared.table;
  if (table.sort_some(field)) return false;
  table.find(uids, [&](std::size_t i, std::size_t place) { out[i] = place < table.size() ? table.key(field, place) : 0; });
  return true;
}

// The ranges of digests in which these messages are, but that of the next one that comes.
std::vector<std::uint32_t> ranges_of(std::span<const std::uint32_t> uids, std::uint32_t uid_next) {
  std::vector<std::uint32_t> out;
  for (const std::uint32_t uid : uids) {
    const std::uint32_t number = uid / store::digest_uids;
    if (number < uid_next / store::digest_uids && (out.empty() || out.back() != number)) out.push_back(number);
  }
  return out;
}

// Some at a time. Goes on for itself: where it fails, the next first SORT reads summaries again.
base::task<void> keep_digests(store::mailbox_store& mail, store::account_id account, store::mailbox_id mailbox,
                              std::shared_ptr<shared_sort_table> shared, std::vector<std::uint32_t> numbers) {
  unsigned tries = 0;
  for (std::size_t next = 0; next < numbers.size();) {
    const auto now = co_await mail.snapshot(account, mailbox);
    if (!now) co_return;
    std::vector<store::digest> some;
    const std::size_t end = std::min(numbers.size(), next + digests_at_once);
    {
      std::lock_guard lock(shared->mutex);
      for (std::size_t i = next; i < end; ++i) {
        const std::uint32_t first = numbers[i] * store::digest_uids;
        some.push_back({numbers[i], write_digest(shared->table, first, first + (store::digest_uids - 1),
                                                 [&](std::uint32_t uid) { return (*now)->find(uid) != nullptr; })});
      }
    }
    const auto kept = co_await mail.keep_digests(account, mailbox, std::move(some), (*now)->highest_modseq);
    if (kept)
      next = end;
    else if (kept.error() != base::errc::conflict || ++tries == most_tries)
      co_return;
  }
}

}  // namespace

// Calls `f` for each of `hits`, in their order, with what was kept of it at delivery. False: the connection is gone.
base::task<bool> session::for_each_summary(std::span<const std::uint32_t> hits, summary_function f) {
  slices turn(*options().clock, where_);
  for (std::size_t next = 0; next < hits.size();) {
    co_await visit_some(hits, next, turn, f);
    if (turn.is_over()) co_await turn.next();
    const bool alive = co_await tell_progress(next, hits.size());
    if (!alive) co_return false;
  }
  co_return true;
}

// From hits[next] on until the slice is over: as the summaries lie in the store, and from the messages themselves where
// there are none.
base::task<void> session::visit_some(std::span<const std::uint32_t> hits, std::size_t& next, slices& turn,
                                     const summary_function& f) {
  const auto known = announced_;
  page_walk pages(*known);
  unsigned unasked = 0;
  bool ended = false, absent = false;  // why the walk ended: it is long enough; the next summary is not there
  const store::summary_function one_row = [&](const store::stored_summary& row) {
    const auto& entry = pages.at(hits[next]);
    if (row.uid < entry.uid) return !(ended = ++unasked == most_unasked);
    absent = row.uid > entry.uid || row.summary.empty();
    if (absent) return false;
    unasked = 0;
    f(hits[next], entry, row.summary);
    ended = ++next == hits.size() || (next % rows_in_a_row == 0 && turn.is_over());
    return !ended;
  };
  const std::uint32_t first = pages.at(hits[next]).uid, last = pages.at(hits.back()).uid;
  const auto visited = co_await mail().visit_summaries(owner_, selected_, first, last, one_row);
  if (ended || (visited && !absent && next == hits.size())) co_return;
  std::vector<fetch_subject> batch;
  fetch_memory memory;
  for (; next < hits.size() && batch.size() < absent_messages; ++next) {
    fetch_subject subject;
    subject.sequence = hits[next] + 1;
    subject.entry = &pages.at(hits[next]);
    batch.push_back(std::move(subject));
  }
  co_await load_summaries(batch, memory);
  for (const auto& subject : batch) f(subject.sequence - 1, *subject.entry, subject.summary);
}

base::task<void> session::run(const wire::sort_command& command) {
  const auto& search = command.search;
  if (refuse_charset(search)) co_return;
  search_result found;
  bool alive = co_await begin_search(search.program, true, found);
  if (!alive) {
    if ((search.returns & wire::return_save) != 0) saved_.clear();  // RFC 5182 §2.1
    co_return;
  }
  std::vector<std::uint32_t> order;
  alive = co_await sort_hits(command.keys, found, order);
  if (!alive) co_return;
  write_sort_result(search, std::move(order), found);
  // RFC 5267 §4.3.1: sorted results are not kept up to date.
  if ((search.returns & wire::return_update) != 0) {
    const std::string code = "NOUPDATE \"" + std::string(machine_.tag()) + "\"";
    machine_.output().no(code, "Sorted results are not updated");
  }
  co_await finish(condition::ok, "", "Sorted", search.by_uid, search.by_uid);
}

base::task<bool> session::sort_hits(std::span<const wire::sort_key> keys, const search_result& found,
                                    std::vector<std::uint32_t>& order) {
  const auto known = announced_;
  const std::size_t count = found.hits.size();
  slices turn(*options().clock, where_);
  std::vector<const store::message_entry*> messages;
  std::vector<std::uint32_t> uids;
  page_walk pages(*known);
  messages.reserve(count);
  uids.reserve(count);
  for (const std::uint32_t index : found.hits) {
    messages.push_back(&pages.at(index));
    uids.push_back(messages.back()->uid);
  }
  sort_fields fields = 0;
  for (const auto& key : keys) fields |= sort_bit(key.field) & sort_table::of_summaries;
  std::shared_ptr<shared_sort_table> shared;
  if (fields != 0) {
    const bool alive = co_await fill_table(found.hits, uids, fields, shared);
    if (!alive) co_return false;
  }
  message_order sorted(count);
  std::vector<std::uint64_t> values(count);
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    switch (key->field) {
      case wire::sort_field::arrival:
        for (std::size_t i = 0; i < count; ++i) values[i] = ordered(messages[i]->internal_date);
        break;
      case wire::sort_field::size:
        for (std::size_t i = 0; i < count; ++i) values[i] = messages[i]->size;
        break;
      case wire::sort_field::relevancy:
        for (std::size_t i = 0; i < count; ++i) values[i] = 255u - found.score_of(found.hits[i]);
        break;
      case wire::sort_field::date: {
        std::lock_guard lock(shared->mutex);
        write_dates(shared->table, uids, messages, values);
        break;
      }
      default:
        while (!write_text_keys(*shared, key->field, uids, values))
          if (turn.is_over()) co_await turn.next();
    }
    sorted.sort_by(values, key->reverse);
    if (turn.is_over()) co_await turn.next();
  }
  order = sorted.take();
  for (auto& one : order) one = found.hits[one];
  co_return true;
}

// What is missing is read without the table, which others may use meanwhile.
base::task<bool> session::fill_table(std::span<const std::uint32_t> hits, std::span<const std::uint32_t> uids,
                                     sort_fields fields, std::shared_ptr<shared_sort_table>& table) {
  sort_tables& kept = *service_.sort_tables;
  const std::uint32_t uid_validity = announced_->uid_validity;
  table = kept.get(owner_, selected_, uid_validity);
  std::vector<std::uint32_t> missing;
  if (is_outdated(*table, announced_->count())) table = std::make_shared<shared_sort_table>();
  {
    std::lock_guard lock(table->mutex);
    table->table.find(uids, [&](std::size_t i, std::size_t at) {
      if (at == table->table.size()) missing.push_back(hits[i]);
    });
  }
  if (missing.empty()) co_return true;
  const bool fits = missing.size() <= kept.most_messages();
  const bool many = missing.size() >= store::digest_uids;
  sort_table fresh(fits ? sort_table::of_summaries : fields), digested;
  if (fits && many) co_await read_digests(missing, digested);
  const bool alive = co_await for_each_summary(
      fits ? std::span<const std::uint32_t>(missing) : hits,
      [&](std::uint32_t, const store::message_entry& entry, std::string_view octets) {
        const auto summary = view_of(octets);
        // What cannot be read now has no envelope, and perhaps can be the next time.
        if (!summary.envelope.empty()) fresh.add(entry.uid, summary);
      });
  if (!alive) co_return false;
  if (!fits) {
    table = std::make_shared<shared_sort_table>();
    table->table = std::move(fresh);
    co_return true;
  }
  // Where all messages of a range are known; what may still come into the last one is left out.
  std::vector<std::uint32_t> undigested;
  if (many && hits.size() == announced_->count()) undigested = ranges_of(fresh.uids(), announced_->uid_next);
  std::uint64_t octets = 0;
  {
    std::lock_guard lock(table->mutex);
    table->table.merge(std::move(digested));
    table->table.merge(std::move(fresh));
    if (table->table.size() >= sort_tables::least_messages) octets = table->table.octets();
  }
  if (octets != 0) kept.put(owner_, selected_, uid_validity, table, octets);
  if (kept.wants_sweeper()) base::spawn_here(where_, sweep(service_.sort_tables));
  if (!undigested.empty()) base::spawn(where_, keep_digests(mail(), owner_, selected_, table, std::move(undigested)));
  co_return true;
}

// A damaged one is as good as none.
base::task<void> session::read_digests(std::vector<std::uint32_t>& missing, sort_table& into) {
  const auto known = announced_;
  slices turn(*options().clock, where_);
  page_walk pages(*known);
  std::vector<std::uint32_t> left;
  std::size_t next = 0;
  const store::digest_function one_digest = [&](std::uint32_t, std::string_view octets) {
    read_digest(octets, [&](std::uint32_t uid, const mail::message_summary_view& summary) {
      for (; next < missing.size() && pages.at(missing[next]).uid < uid; ++next) left.push_back(missing[next]);
      if (next == missing.size() || pages.at(missing[next]).uid != uid) return;
      into.add(uid, summary);
      ++next;
    });
  };
  while (next < missing.size()) {
    const std::uint32_t first = pages.at(missing[next]).uid / store::digest_uids;
    const std::uint32_t last = first + std::min(digests_at_once - 1, UINT32_MAX / store::digest_uids - first);
    const auto visited = co_await mail().visit_digests(owner_, selected_, first, last, one_digest);
    if (!visited) break;
    for (; next < missing.size() && pages.at(missing[next]).uid / store::digest_uids <= last; ++next) left.push_back(missing[next]);
    if (turn.is_over()) co_await turn.next();
  }
  left.insert(left.end(), missing.begin() + static_cast<std::ptrdiff_t>(next), missing.end());
  missing = std::move(left);
}

void session::write_sort_result(const wire::search_command& search, std::vector<std::uint32_t> order,
                                const search_result& found) {
  std::vector<std::uint8_t> scores;
  if ((search.returns & wire::return_relevancy) != 0)
    for (const std::uint32_t index : order) scores.push_back(found.score_of(index));
  std::optional<std::uint64_t> modseq;
  if (found.with_modseq) modseq = modseq_of(order);
  save_result(search, order);
  if (search.returns == wire::return_save) return;
  for (auto& one : order) one = search.by_uid ? announced_->at(one).uid : one + 1;
  if (!search.extended) {
    machine_.output().sort(order, modseq);
    return;
  }
  // RFC 5267 §3: MIN is the first in the order, MAX the last.
  const auto [first, last] = span_of(search.partial, order.size());
  machine_.output().esearch({.tag = machine_.tag(),
                             .by_uid = search.by_uid,
                             .returns = search.returns,
                             .min = order.empty() ? 0 : order.front(),
                             .max = order.empty() ? 0 : order.back(),
                             .count = static_cast<std::uint32_t>(order.size()),
                             .all = nullptr,
                             .order = order,
                             .range = search.partial,
                             .partial = nullptr,
                             .partial_order = std::span(order).subspan(first, last - first),
                             .modseq = modseq,
                             .relevancy = told_scores(search, scores)});
}

base::task<void> session::run(const wire::thread_command& command) {
  search_result found;
  bool alive = co_await begin_search(command.program, true, found);
  if (!alive) co_return;
  thread_tree tree(found.hits.size());
  const bool by_references = command.algorithm == wire::thread_algorithm::references;
  const auto number = [&](std::uint32_t index, const store::message_entry& entry) {
    return command.by_uid ? entry.uid : index + 1;
  };
  if (by_references) {
    alive = co_await for_each_summary(
        found.hits, [&](std::uint32_t index, const store::message_entry& entry, std::string_view octets) {
          tree.add_by_references(to_thread(number(index, entry), entry, view_of(octets)));
        });
  } else {
    alive = co_await for_each_subject(
        found.hits, [&](std::uint32_t index, const store::message_entry& entry, std::int64_t sent, std::string_view subject) {
          thread_message message;
          message.number = number(index, entry);
          message.sent = sent;
          message.base_subject = subject;
          tree.add_by_subject(message);
        });
  }
  if (!alive) co_return;
  const std::string threads = by_references ? tree.by_references() : tree.by_subject();
  auto& out = machine_.output();
  out.append(threads.empty() ? "* THREAD" : "* THREAD ");
  out.append(threads);
  out.crlf();
  co_await finish(condition::ok, "", "Threaded", command.by_uid, command.by_uid);
}

// Calls `f` for each of `hits`, in their order, with its date and base subject, of what SORT keeps. False: the connection
// is gone.
base::task<bool> session::for_each_subject(std::span<const std::uint32_t> hits, subject_function f) {
  const auto known = announced_;
  page_walk pages(*known);
  std::vector<std::uint32_t> uids;
  uids.reserve(hits.size());
  for (const std::uint32_t index : hits) uids.push_back(pages.at(index).uid);
  std::shared_ptr<shared_sort_table> shared;
  const bool alive = co_await fill_table(hits, uids, sort_bit(wire::sort_field::subject) | sort_bit(wire::sort_field::date), shared);
  if (!alive) co_return false;
  slices turn(*options().clock, where_);
  for (std::size_t next = 0; next < hits.size(); next += subjects_in_a_row) {
    const auto some = std::span(uids).subspan(next, std::min(subjects_in_a_row, hits.size() - next));
    {
      std::lock_guard lock(shared->mutex);
      const sort_table& table = shared->table;
      table.find(some, [&](std::size_t i, std::size_t at) {
        const bool is_there = at < table.size();
        const auto& entry = pages.at(hits[next + i]);
        const auto sent = is_there ? table.sent(at) : std::nullopt;
        f(hits[next + i], entry, sent.value_or(entry.internal_date),
          is_there ? table.text(wire::sort_field::subject, at) : std::string_view());
      });
    }
    if (turn.is_over()) co_await turn.next();
  }
  co_return true;
}

}  // namespace briefwerk::server::imap

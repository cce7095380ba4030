#include <algorithm>

#include "message_order.hpp"
#include "session.hpp"
#include "slices.hpp"
#include "thread_tree.hpp"

namespace briefwerk::server::imap {

using wire::condition;

namespace {

constexpr std::size_t batch_messages = 1024;

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

}  // namespace

// Calls `f` for each of `hits`, in their order, with what was kept of it at delivery (empty when `with_summary` is not
// set).
base::task<bool> session::for_each_summary(std::span<const std::uint32_t> hits, bool with_summary, summary_function f) {
  const auto known = announced_;
  slices turn(*options().clock, where_);
  std::vector<fetch_subject> batch;
  fetch_memory memory;
  for (std::size_t next = 0; next < hits.size();) {
    batch.clear();
    memory.clear();
    for (; next < hits.size() && batch.size() < batch_messages; ++next) {
      fetch_subject subject;
      subject.sequence = hits[next] + 1;
      subject.entry = &known->at(hits[next]);
      batch.push_back(std::move(subject));
    }
    if (with_summary) co_await load_summaries(batch, memory);
    for (const auto& subject : batch) {
      mail::message_summary_view summary;
      if (!subject.summary.empty()) {
        if (const auto read = mail::view_summary(subject.summary)) summary = *read;
      }
      f(subject.sequence - 1, *subject.entry, summary);
    }
    if (turn.is_over()) co_await turn.next();
    const bool alive = co_await tell_progress(next, hits.size());
    if (!alive) co_return false;
  }
  co_return true;
}

base::task<void> session::run(const wire::sort_command& command) {
  const auto& search = command.search;
  search_result found;
  bool alive = co_await begin_search(search.program, true, found);
  if (!alive) co_return;
  message_order order(command.keys);
  alive =
      co_await for_each_summary(found.hits, order.needs_summary(),
                                [&](std::uint32_t index, const store::message_entry& entry,
                                    const mail::message_summary_view& summary) {
                                  order.add(index, entry, summary, found.score_of(index));
                                });
  if (!alive) co_return;
  write_sort_result(search, order.take(), found);
  // RFC 5267 §4.3.1: sorted results are not kept up to date.
  if ((search.returns & wire::return_update) != 0) {
    const std::string code = "NOUPDATE \"" + std::string(machine_.tag()) + "\"";
    machine_.output().no(code, "Sorted results are not updated");
  }
  co_await finish(condition::ok, "", "Sorted", search.by_uid, search.by_uid);
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
  alive = co_await for_each_summary(
      found.hits, true,
      [&](std::uint32_t index, const store::message_entry& entry, const mail::message_summary_view& summary) {
        const auto message = to_thread(command.by_uid ? entry.uid : index + 1, entry, summary);
        by_references ? tree.add_by_references(message) : tree.add_by_subject(message);
      });
  if (!alive) co_return;
  const std::string threads = by_references ? tree.by_references() : tree.by_subject();
  auto& out = machine_.output();
  out.append(threads.empty() ? "* THREAD" : "* THREAD ");
  out.append(threads);
  out.crlf();
  co_await finish(condition::ok, "", "Threaded", command.by_uid, command.by_uid);
}

}  // namespace briefwerk::server::imap

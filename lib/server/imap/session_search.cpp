#include "session.hpp"

#include <algorithm>

#include "search_plan.hpp"
#include "yield.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;

namespace {

constexpr std::size_t batch_messages = 256;
constexpr std::size_t batch_read = 1u << 20;
// So long a search may keep the thread for itself.
constexpr std::chrono::milliseconds slice{4};

// Lets the others run when the slice is used up.
class slices {
 public:
  slices(const base::clock& time, base::executor& where) : time_(time), where_(where), begun_(time.steady()) {}
  bool is_over() const noexcept { return time_.steady() - begun_ >= slice; }
  yield next() noexcept {
    begun_ = time_.steady();
    return {where_};
  }

 private:
  const base::clock& time_;
  base::executor& where_;
  base::steady_time begun_;
};

mail::uid_set sequence_numbers(std::span<const wire::index_range> ranges) {
  mail::uid_set out;
  for (const auto& range : ranges)
    if (range.last > range.first) out.insert(range.first + 1, range.last);
  return out;
}

}  // namespace

// Messages that the client knows and that are still there, by index; in slices.
base::task<void> session::find_messages(const search_plan& plan, std::vector<std::uint32_t>& hits) {
  const auto known = announced_;
  slices turn(*options().clock, where_);
  std::vector<std::uint32_t> open;
  const auto count = static_cast<std::uint32_t>(known->count());
  for (std::uint32_t i = 0; i < count; ++i) {
    if (const auto* const entry = current(known->at(i))) {
      search_subject message(*entry, i + 1);
      const verdict found = plan.judge(message, search_stage::index);
      if (found == verdict::yes) hits.push_back(i);
      if (found == verdict::unknown) open.push_back(i);
    }
    if (i % 1024 == 1023 && turn.is_over()) co_await turn.next();
  }
  if (open.empty()) co_return;
  std::vector<fetch_subject> batch;
  fetch_memory memory;
  for (std::size_t next = 0; next < open.size();) {
    batch.clear();
    memory.clear();
    for (std::size_t octets = 0; next < open.size() && batch.size() < batch_messages && octets < batch_read; ++next) {
      fetch_subject subject;
      subject.sequence = open[next] + 1;
      subject.entry = &known->at(open[next]);
      batch.push_back(std::move(subject));
      if (plan.last_stage() > search_stage::summary) octets += batch.back().entry->size;
    }
    co_await judge_batch(plan, batch, memory, hits);
    if (turn.is_over()) co_await turn.next();
  }
  std::sort(hits.begin(), hits.end());
}

base::task<void> session::judge_batch(const search_plan& plan, std::vector<fetch_subject>& batch, fetch_memory& memory,
                                      std::vector<std::uint32_t>& hits) {
  if (plan.needs_summary()) {
    co_await load_summaries(batch, memory);
    co_await judge_loaded(plan, search_stage::summary, batch, hits);
  }
  if (batch.empty() || plan.last_stage() <= search_stage::summary) co_return;
  co_await load_octets(batch, memory);
  co_await judge_loaded(plan, search_stage::header, batch, hits);
  if (plan.last_stage() == search_stage::body) co_await judge_loaded(plan, search_stage::body, batch, hits);
}

// Leaves in the batch what is still open.
base::task<void> session::judge_loaded(const search_plan& plan, search_stage known, std::vector<fetch_subject>& batch,
                                       std::vector<std::uint32_t>& hits) {
  slices turn(*options().clock, where_);
  std::size_t open = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto& subject = batch[i];
    const auto* const entry = subject.missing ? nullptr : current(*subject.entry);
    if (entry == nullptr) continue;
    search_subject message(*entry, subject.sequence);
    if (!subject.summary.empty()) {
      if (const auto summary = mail::view_summary(subject.summary)) message.summary = *summary;
    }
    message.octets = subject.octets.view();
    const verdict found = plan.judge(message, known);
    if (found == verdict::yes) hits.push_back(subject.sequence - 1);
    if (found == verdict::unknown) {
      if (open != i) batch[open] = std::move(subject);
      ++open;
    }
    if (turn.is_over()) co_await turn.next();
  }
  batch.resize(open);
}

base::task<void> session::run(const wire::search_command& command) {
  const bool alive = co_await refresh(false, command.by_uid);
  if (!alive) co_return;
  const auto latest = latest_;
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(options().clock->now().time_since_epoch()).count();
  const search_plan plan(command.program, {.mailbox = *latest, .now = now,
                                           .resolve = [this](const wire::number_set& set, bool sequence) -> mail::uid_set {
                                             const auto ranges = wire::resolve(*announced_, set, !sequence, saved_);
                                             if (!ranges) return {};
                                             return sequence ? sequence_numbers(*ranges) : wire::uids_of(*announced_, *ranges);
                                           }});
  std::vector<std::uint32_t> hits;
  co_await find_messages(plan, hits);
  write_search_result(command, hits, plan.has_modseq());
  co_await finish(condition::ok, "", "Searched", command.by_uid, command.by_uid);
}

void session::write_search_result(const wire::search_command& command, std::span<const std::uint32_t> hits, bool with_modseq) {
  mail::uid_set numbers;
  std::uint64_t modseq = 0;
  for (const std::uint32_t index : hits) {
    numbers.insert(command.by_uid ? announced_->at(index).uid : index + 1);
    if (!with_modseq) continue;
    if (const auto* const entry = current(announced_->at(index))) modseq = std::max(modseq, entry->modseq);
  }
  std::optional<std::uint64_t> shown_modseq;
  if (with_modseq && !hits.empty()) shown_modseq = modseq;
  auto returns = command.returns;
  // RFC 5182 §2.4: with MIN or MAX alone, those are what is saved.
  if ((returns & wire::return_save) != 0) {
    saved_.clear();
    const bool ends_only = (returns & (wire::return_all | wire::return_count)) == 0 &&
                           (returns & (wire::return_min | wire::return_max)) != 0;
    for (std::size_t i = 0; i < hits.size(); ++i) {
      const bool wanted = !ends_only || (i == 0 && (returns & wire::return_min) != 0) ||
                          (i + 1 == hits.size() && (returns & wire::return_max) != 0);
      if (wanted) saved_.insert(announced_->at(hits[i]).uid);
    }
    if (returns == wire::return_save) return;
  }
  // RFC 9051 §6.4.4: who enabled IMAP4rev2 gets ESEARCH always.
  if (!command.extended && !machine_.is_rev2()) {
    machine_.output().search(numbers, shown_modseq);
    return;
  }
  if (returns == 0) returns = wire::return_all;
  machine_.output().esearch({.tag = machine_.tag(), .by_uid = command.by_uid, .returns = returns, .min = numbers.front(),
                             .max = numbers.back(), .count = static_cast<std::uint32_t>(hits.size()), .all = &numbers,
                             .modseq = shown_modseq});
}

}  // namespace briefwerk::server::imap

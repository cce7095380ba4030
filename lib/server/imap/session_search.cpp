#include <algorithm>

#include "pages.hpp"
#include "search_plan.hpp"
#include "session.hpp"
#include "slices.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;

namespace {

constexpr std::size_t batch_messages = 256;
constexpr std::size_t batch_read = 1u << 20;
// Open messages from which on the index is asked: where the message is opened for each, and where what was kept of it
// suffices.
constexpr std::size_t least_octets_for_index = 32, least_summaries_for_index = 512;

mail::uid_set sequence_numbers(std::span<const wire::index_range> ranges) {
  mail::uid_set out;
  for (const auto& range : ranges)
    if (range.last > range.first) out.insert(range.first + 1, range.last);
  return out;
}

// Leaves the messages that have one of these UIDs, and those from `below` on.
void keep_possible(const store::mailbox_snapshot& mailbox, const mail::uid_set& uids, std::uint32_t below,
                   std::vector<std::uint32_t>& open) {
  std::size_t left = 0;
  auto next = open.begin();
  const auto keep = [&](std::size_t first, std::size_t last) {
    next = std::lower_bound(next, open.end(), first);
    for (; next != open.end() && *next < last; ++next) open[left++] = *next;
  };
  for (const auto& range : uids.ranges()) keep(mailbox.lower_bound(range.first), mailbox.lower_bound(range.last + 1));
  keep(mailbox.lower_bound(below), mailbox.count());
  open.resize(left);
}

}  // namespace

search_plan session::plan_search(const wire::search_program& program) const {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(options().clock->now().time_since_epoch()).count();
  return search_plan(program, {.mailbox = *latest_, .recent = recent_, .now = now,
                               .resolve = [this](const wire::number_set& set, bool sequence) -> mail::uid_set {
                                 const auto ranges = meant(set, !sequence);
                                 return sequence ? sequence_numbers(ranges) : wire::uids_of(*announced_, ranges);
                               }});
}

// What a set in a search program means. Numbers past the end mean nothing, and are no error (RFC 7377 §2).
index_ranges session::meant(const wire::number_set& set, bool by_uid) const {
  if (by_uid || set.saved) return wire::resolve(*announced_, set, by_uid, saved_).value_or(index_ranges());
  const auto count = static_cast<std::uint32_t>(announced_->count());
  mail::uid_set numbers;
  for (auto [first, last] : set.ranges) {
    if (first == 0) first = count;
    if (last == 0) last = count;
    if (first > last) std::swap(first, last);
    if (first <= count) numbers.insert(first, std::min(last, count));
  }
  index_ranges out;
  for (const auto& range : numbers.ranges()) out.push_back({range.first - 1, range.last});
  return out;
}

// RFC 9585: a long wait is not silence. False: the connection is gone.
base::task<bool> session::tell_progress(std::size_t done, std::size_t of) {
  const auto now = options().clock->steady();
  if (!options().offered.in_progress || now - progress_told_ < options().progress_interval) co_return true;
  progress_told_ = now;
  std::string code = "INPROGRESS (\"";
  code.append(machine_.tag()).append("\" ").append(std::to_string(done)).append(" ").append(std::to_string(of)).append(")");
  machine_.output().ok(code, "Searching");
  const bool sent = co_await send_collected();
  co_return sent;
}

// Of the messages in `among` that are still there, those that the plan says yes to, by index, ascending; in slices.
base::task<void> session::find_messages(search_plan& plan, std::span<const wire::index_range> among,
                                        std::vector<std::uint32_t>& hits) {
  const auto known = announced_;
  slices turn(*options().clock, where_);
  std::vector<std::uint32_t> open;
  for (const auto& range : among) {
    for (std::uint32_t i = range.first; i < range.last;) {
      const page_rest page(*known, i);
      const std::uint32_t begin = i, end = std::min(range.last, page.end);
      for (; i < end; ++i) {
        const auto* const entry = current(page.first[i - begin]);
        if (entry == nullptr) continue;
        search_subject message(*entry, i + 1);
        const verdict found = plan.judge(message, search_stage::index);
        if (found == verdict::yes) plan.take_hit(message, search_stage::index, hits);
        if (found == verdict::unknown) open.push_back(i);
      }
      if (turn.is_over()) co_await turn.next();
    }
  }
  co_await ask_index(plan, open, hits);
  co_await ask_texts(plan, open, hits);
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
    const bool alive = co_await tell_progress(next, open.size());
    if (!alive) co_return;
  }
  if (!std::is_sorted(hits.begin(), hits.end())) std::sort(hits.begin(), hits.end());
}

base::task<void> session::ask_index(search_plan& plan, std::vector<std::uint32_t>& open, std::vector<std::uint32_t>& hits) {
  const auto least = plan.last_stage() > search_stage::summary ? least_octets_for_index : least_summaries_for_index;
  if (options().finder == nullptr || plan.probes().empty() || open.size() < least) co_return;
  const auto known = announced_, latest = latest_;
  auto found = co_await options().finder->find(owner_, selected_, plan.probes());
  if (!found || !found->fit(*latest)) co_return;
  plan.use(std::move(*found));
  if (const auto narrow = plan.possible()) keep_possible(*known, *narrow, plan.indexed_below(), open);
  std::size_t left = 0;
  for (const std::uint32_t i : open) {
    const auto* const entry = current(known->at(i));
    if (entry == nullptr) continue;
    search_subject message(*entry, i + 1);
    const verdict now = plan.judge(message, search_stage::index);
    if (now == verdict::yes) plan.take_hit(message, search_stage::index, hits);
    if (now == verdict::unknown) open[left++] = i;
  }
  open.resize(left);
}

base::task<void> session::judge_batch(search_plan& plan, std::vector<fetch_subject>& batch, fetch_memory& memory,
                                      std::vector<std::uint32_t>& hits) {
  if (plan.needs_summary()) {
    co_await load_summaries(batch, memory);
    co_await judge_loaded(plan, search_stage::summary, batch, hits);
  }
  if (batch.empty() || plan.last_stage() <= search_stage::summary) co_return;
  if (plan.last_stage() == search_stage::header)
    co_await load_beginnings(batch, memory, 0, [](std::string_view beginning) { return header_end(beginning).has_value(); });
  else
    co_await load_octets(batch, memory);
  co_await judge_loaded(plan, search_stage::header, batch, hits);
  if (plan.last_stage() == search_stage::body) co_await judge_loaded(plan, search_stage::body, batch, hits);
}

// Leaves in the batch what is still open.
base::task<void> session::judge_loaded(search_plan& plan, search_stage known, std::vector<fetch_subject>& batch,
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
    if (found == verdict::yes) plan.take_hit(message, known, hits);
    if (found == verdict::unknown) {
      if (open != i) batch[open] = std::move(subject);
      ++open;
    }
    if (turn.is_over()) co_await turn.next();
  }
  batch.resize(open);
}

base::task<bool> session::begin_search(const wire::search_program& program, bool all_or_none, search_result& found) {
  const bool alive = co_await refresh(false, false);
  if (!alive) co_return false;
  const bool done = co_await search_here(program, all_or_none, found);
  co_return done;
}

base::task<bool> session::search_here(const wire::search_program& program, bool all_or_none, search_result& found) {
  selection among{.ranges = searched(program), .count = 0};
  among.count = wire::count_of(among.ranges);
  found.lowest = keep_highest(among);
  if (found.lowest != 0 && all_or_none) {
    const std::string code = codes::message_limit(options().message_limit, 0);
    machine_.complete(condition::no, code, "Too many messages: narrow them down with UIDAFTER or UIDBEFORE");
    co_return false;
  }
  progress_told_ = options().clock->steady();
  const auto latest = latest_;  // the plan refers to its keywords
  search_plan plan = plan_search(program);
  co_await find_messages(plan, among.ranges, found.hits);
  found.with_modseq = plan.has_modseq();
  if (plan.is_fuzzy()) found.scores = plan.relevancies(found.hits);
  co_return !lost_;
}

// True: refused, and the command is answered.
bool session::refuse_charset(const wire::search_command& command) {
  if (!command.unknown_charset) return false;
  saved_.clear();
  machine_.complete(condition::no, codes::bad_charset, "Unknown charset");
  return true;
}

base::task<void> session::run(const wire::search_command& command) {
  if (refuse_charset(command)) co_return;
  if ((command.returns & wire::return_update) != 0 && context_of(machine_.tag()) != nullptr) {
    machine_.complete(condition::bad, "", "Tag is in use");  // RFC 5267 §4.3
    co_return;
  }
  search_result found;
  const bool alive = co_await begin_search(command.program, false, found);
  if (!alive) co_return;
  write_search_result(command, found);
  if ((command.returns & wire::return_update) != 0) open_context(command, found.hits);
  const std::string code = limited("", found.lowest);
  co_await finish(condition::ok, code, "Searched", command.by_uid, command.by_uid);
}

std::pair<std::size_t, std::size_t> session::span_of(const wire::result_range& range, std::size_t count) noexcept {
  const auto all = static_cast<std::int64_t>(count);
  const auto first = range.from_end() ? all + range.last : range.first - 1;
  const auto end = range.from_end() ? all + range.first + 1 : range.last;
  const auto low = std::clamp<std::int64_t>(first, 0, all), high = std::clamp<std::int64_t>(end, low, all);
  return {static_cast<std::size_t>(low), static_cast<std::size_t>(high)};
}

// Those of the hits that the answer names; MIN and MAX alone are told by themselves (RFC 5182 §2.4, RFC 7162 §3.1.6,
// RFC 9394 §3.2). All for a plain SEARCH.
std::vector<std::uint32_t> session::named_hits(const wire::search_command& command, std::span<const std::uint32_t> hits) {
  constexpr auto some = wire::return_min | wire::return_max | wire::return_partial;
  const auto returns = command.returns;
  const bool all = (returns & (wire::return_all | wire::return_count)) != 0 || (returns & some) == 0;
  if (all) return {hits.begin(), hits.end()};
  const auto [first, last] = (returns & wire::return_partial) != 0 ? span_of(command.partial, hits.size())
                                                                   : std::pair<std::size_t, std::size_t>{0, 0};
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const bool wanted = (i >= first && i < last) || (i == 0 && (returns & wire::return_min) != 0) ||
                        (i + 1 == hits.size() && (returns & wire::return_max) != 0);
    if (wanted) out.push_back(hits[i]);
  }
  return out;
}

std::optional<std::uint64_t> session::modseq_of(std::span<const std::uint32_t> hits) const {
  std::optional<std::uint64_t> highest;
  for (const std::uint32_t index : hits) {
    if (const auto* const entry = current(announced_->at(index))) highest = std::max(highest.value_or(0), entry->modseq);
  }
  return highest;
}

void session::save_result(const wire::search_command& command, std::span<const std::uint32_t> hits) {
  if ((command.returns & wire::return_save) == 0) return;
  saved_.clear();
  for (const std::uint32_t index : named_hits(command, hits)) saved_.insert(announced_->at(index).uid);
}

std::uint8_t session::search_result::score_of(std::uint32_t hit) const noexcept {
  if (scores.empty()) return 0;
  const auto at = static_cast<std::size_t>(std::ranges::lower_bound(hits, hit) - hits.begin());
  return at < scores.size() ? scores[at] : 0;
}

std::span<const std::uint8_t> session::told_scores(const wire::search_command& command,
                                                   std::span<const std::uint8_t> scores) noexcept {
  if ((command.returns & wire::return_partial) == 0) return scores;
  const auto [first, last] = span_of(command.partial, scores.size());
  return scores.subspan(first, last - first);
}

void session::write_search_result(const wire::search_command& command, const search_result& found,
                                  std::string_view mailbox) {
  const auto& hits = found.hits;
  const auto number = [&](std::uint32_t index) { return command.by_uid ? announced_->at(index).uid : index + 1; };
  mail::uid_set numbers, partial;
  for (const std::uint32_t index : hits) numbers.insert(number(index));
  std::optional<std::uint64_t> modseq;
  if (found.with_modseq) modseq = modseq_of(named_hits(command, hits));
  save_result(command, hits);
  if (command.returns == wire::return_save) return;
  // RFC 9051 §6.4.4: who enabled IMAP4rev2 gets ESEARCH always.
  if (!command.extended && !machine_.is_rev2()) {
    machine_.output().search(numbers, modseq);
    return;
  }
  if ((command.returns & wire::return_partial) != 0) {
    const auto [first, last] = span_of(command.partial, hits.size());
    for (std::size_t i = first; i < last; ++i) partial.insert(number(hits[i]));
  }
  const auto returns = command.returns == 0 ? wire::search_return{wire::return_all} : command.returns;
  machine_.output().esearch({.tag = machine_.tag(), .by_uid = command.by_uid, .returns = returns, .min = numbers.front(),
                             .max = numbers.back(), .count = static_cast<std::uint32_t>(hits.size()), .all = &numbers,
                             .order = {}, .range = command.partial, .partial = &partial, .partial_order = {},
                             .modseq = modseq, .mailbox = mailbox, .uid_validity = announced_->uid_validity,
                             .relevancy = told_scores(command, found.scores)});
}

}  // namespace briefwerk::server::imap

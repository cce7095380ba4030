#include "filter/chain_run.hpp"

#include <algorithm>
#include <utility>

namespace briefwerk::filter {
namespace {

using steady = std::chrono::steady_clock;

verdict of_failure(failure_mode mode, std::string_view why) {
  verdict v;
  v.reason = why;
  if (mode == failure_mode::defer) {
    v.what = action::defer;
    v.code = 451;
    v.enhanced = "4.3.0";
    v.text = "A check of this mail is not available, please try again later";
  }
  return v;
}

bool says_something(const verdict& v) noexcept {
  return v.what != action::accept || v.score != 0 || !v.add_fields.empty() || !v.reason.empty();
}

void count(base::counter* one) noexcept {
  if (one) one->add();
}

}  // namespace

chain::run::run(const chain& of, const question& what, base::executor* where)
    : observer_(&of.options_.observer), what_(what), where_(where) {
  slots_.reserve(of.stages_.size());
}

void chain::run::add(std::shared_ptr<const entry> one, std::shared_ptr<message_observer> observer) {
  slot& made = slots_.emplace_back();
  made.message = {what_.octets, observer.get()};
  made.one = std::move(one);
  made.observer = std::move(observer);
}

base::task<void> chain::run::finish() {
  start_ready();
  if (running_ == 0) co_return;
  for (std::size_t i = 0; i < slots_.size(); ++i) watch(i);
  (void)co_await base::wait_for<base::status>([this](base::completion<base::status> done) {
    waiter_.emplace(std::move(done));
  });
}

bool chain::run::is_ready(const slot& one) const noexcept {
  if (one.now != state::waiting || (stopped_ && !what_.explain)) return false;
  return std::ranges::none_of(one.one->after, [this](std::size_t before) {
    return std::ranges::any_of(slots_, [&](const slot& other) {
      return other.one->index == before && (other.now == state::waiting || other.now == state::running);
    });
  });
}

void chain::run::gather_edits(slot& into) const {
  for (const std::size_t before : into.one->after) {
    const auto found = std::ranges::find_if(slots_, [before](const slot& other) { return other.one->index == before; });
    if (found == slots_.end() || found->one->options.dry_run) continue;
    into.message.edits.insert(into.message.edits.end(), found->said.edits.begin(), found->said.edits.end());
  }
}

// A stage that answers at once may make others ready while this loop runs: it goes round until nothing moves.
void chain::run::start_ready() {
  if (std::exchange(starting_, true)) return;
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (!is_ready(slots_[i])) continue;
      slot& one = slots_[i];
      one.now = state::running;
      one.asked = true;
      gather_edits(one);
      one.begun = steady::now();
      ++running_;
      moved = true;
      count(one.one->counted.asked);
      base::detail::start(where_, ask(shared_from_this(), i));
    }
  }
  starting_ = false;
}

base::task<verdict> chain::run::answer_of(slot& from) {
  filter::stage& stage = *from.one->stage;
  switch (what_.at) {
    case hook::connect: return stage.connect(what_.session);
    case hook::hello: return stage.hello(what_.session);
    case hook::mail: return stage.mail(what_.session, *what_.envelope);
    case hook::rcpt: return stage.rcpt(what_.session, *what_.envelope, *what_.recipient);
    case hook::message: break;
  }
  return stage.message(what_.session, *what_.envelope, from.message);
}

base::task<void> chain::run::ask(std::shared_ptr<run> all, std::size_t index) {
  verdict said;
  std::string failure;
  try {
    said = co_await all->answer_of(all->slots_[index]);
  } catch (const stage_failure& known) {
    failure = *known.what() != '\0' ? known.what() : "stage failed";
  } catch (...) {
    failure = "stage failed";
  }
  all->ended(index, std::move(said), failure);
}

void chain::run::ended(std::size_t index, verdict said, std::string_view failure) {
  slot& one = slots_[index];
  if (one.now == state::late) return;  // nobody waits for it any more
  --running_;
  if (!one.timed_out) {
    one.failed = !failure.empty();
    one.said = one.failed ? of_failure(one.one->options.on_failure, failure) : std::move(said);
    if (one.failed) count(one.one->counted.failed);
  }
  settle(one);
  one.now = state::ended;
  start_ready();
  for (std::size_t i = 0; waiter_ && i < slots_.size(); ++i) watch(i);
  wake_if_done();
}

// Counts, and stops the hook where the verdict says so. Once for each stage asked.
void chain::run::settle(slot& one) {
  one.limit.reset();
  if (one.took.count() != 0) return;
  one.took = std::max(steady::now() - one.begun, steady::duration(1));
  if (one.one->counted.time) one.one->counted.time->record(one.took);
  count(one.one->counted.said[static_cast<std::size_t>(one.said.what)]);
  if (one.said.what >= action::discard && !one.one->options.dry_run) stopped_ = true;
}

void chain::run::watch(std::size_t index) {
  slot& one = slots_[index];
  if (one.now != state::running || one.limit || one.timed_out || !where_) return;
  if (one.one->options.limit.count() == 0) return;
  const auto left = one.one->options.limit - (steady::now() - one.begun);
  one.limit = where_->start_timer(std::max(left, std::chrono::nanoseconds(1)), [this, index] { expired(index); });
}

void chain::run::expired(std::size_t index) {
  const auto self = shared_from_this();  // the waiter may be the last other owner
  slot& one = slots_[index];
  one.timed_out = true;
  one.said = of_failure(one.one->options.on_failure, "no answer in time");
  count(one.one->counted.timed_out);
  settle(one);
  if (!kept_) kept_ = what_.session.owner.lock();
  if (!kept_) return;  // what the stage looks at lives no longer than this hook: its end is waited for
  one.now = state::late;
  --running_;
  start_ready();
  for (std::size_t i = 0; waiter_ && i < slots_.size(); ++i) watch(i);
  wake_if_done();
}

void chain::run::wake_if_done() {
  if (running_ == 0 && !starting_ && waiter_) (*std::exchange(waiter_, std::nullopt))(base::status());
}

void chain::run::sum_up(verdict& sum) {
  for (slot& one : slots_) {
    if (!one.asked) continue;
    const bool dry = one.one->options.dry_run;
    if (what_.explain) {
      what_.explain->push_back(
          {what_.at, one.one->name, one.said, dry, one.failed, one.timed_out, one.took});
    } else if (*observer_ && says_something(one.said)) {
      (*observer_)(what_.session, {what_.at, one.one->name, &one.said, dry, one.failed, one.timed_out, one.took,
                                   what_.envelope, what_.recipient});
    }
    if (!dry) combine(sum, std::move(one.said));
  }
}

}  // namespace briefwerk::filter

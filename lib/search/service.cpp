#include "briefwerk/search/service.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <thread>

#include "search/account_indexer.hpp"
#include "search/right_of_way.hpp"

namespace briefwerk::search {
namespace {

using base::log_level;
using std::chrono::steady_clock;

constexpr std::size_t waiting_questions = 10000;
constexpr int low_priority = 10;
constexpr std::chrono::milliseconds piece_of_rest{20};

// Only the idle class makes way at once. Beside a thread that is merely nice, whoever the disk wakes up after a sync may wait
// for the end of its slice: measured, 4 ms for a sync of 0.1. A thread of that class that holds a lock may keep it for long
// where other programs want every processor, so it takes those that sessions need seldom (stand_aside). Where the class is
// missing or refused it is nice.
void take_low_priority() {
#ifdef SCHED_IDLE
  const sched_param none{};
  if (::pthread_setschedparam(::pthread_self(), SCHED_IDLE, &none) == 0) return;
#endif
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), low_priority);
}

std::chrono::nanoseconds processor_time(clockid_t clock) {
  timespec at{};
  ::clock_gettime(clock, &at);
  return std::chrono::seconds(at.tv_sec) + std::chrono::nanoseconds(at.tv_nsec);
}
// Of all threads of the process but this one.
std::chrono::nanoseconds time_of_others() {
  return processor_time(CLOCK_PROCESS_CPUTIME_ID) - processor_time(CLOCK_THREAD_CPUTIME_ID);
}

constexpr std::chrono::minutes retry_after{5};

}  // namespace

struct service::state {
  struct account {
    store::subscription watch;
    steady_clock::time_point due = steady_clock::time_point::max();
    steady_clock::time_point changed = steady_clock::time_point::max();  // since then something is not indexed
    bool all = false;     // index however little it is
    bool erase = false, gone = false;
  };
  using answer = base::result<findings>;
  using question = std::move_only_function<void(bool cancelled)>;

  state(index& where_, store::mailbox_store& mail_, store::directory& directory_, service_options options_)
      : where(where_), mail(mail_), directory(directory_), options(options_) {
    if (options.metrics == nullptr) return;
    indexed = &options.metrics->get_counter("search.messages.indexed");
    look_ups = &options.metrics->get_histogram("search.lookup");
  }

  void answer_questions(std::stop_token stop);
  void run_index(std::stop_token stop);
  void look_for_accounts();
  void note_change(const store::account_id& id);
  // Taken from the account whose turn it is.
  struct order {
    store::account_id id;
    steady_clock::time_point changed;
    bool all = false, erase = false, gone = false;
  };
  std::optional<order> next_order(std::stop_token stop, steady_clock::time_point until);
  void serve(const std::stop_token& stop, const order& given);
  void stand_aside(const std::stop_token& stop, steady_clock::time_point latest);
  void note_failure(const order& given, std::error_code why);
  void erase(const store::account_id& id);

  index& where;
  store::mailbox_store& mail;
  store::directory& directory;
  const service_options options;
  base::counter* indexed = nullptr;
  base::histogram* look_ups = nullptr;

  mutable std::mutex mutex;
  std::condition_variable_any asked, woken, rested;
  right_of_way others{std::thread::hardware_concurrency()};
  steady_clock::time_point asks_next;  // of the indexing thread
  std::deque<question> questions;
  std::map<store::account_id, account> accounts;
  bool busy = true;
  std::jthread answering, indexing;  // end first
};

service::service(index& where, store::mailbox_store& mail, store::directory& accounts, service_options options)
    : state_(std::make_unique<state>(where, mail, accounts, options)) {}

service::~service() {
  for (auto* thread : {&state_->answering, &state_->indexing}) {
    thread->request_stop();
    if (thread->joinable()) thread->join();
  }
  std::map<store::account_id, state::account> watched;
  std::deque<state::question> left;
  {
    const std::lock_guard lock(state_->mutex);
    watched.swap(state_->accounts);
    left.swap(state_->questions);
  }
  for (auto& one : left) one(true);
}

void service::start() {
  state_->answering = std::jthread([this](std::stop_token stop) { state_->answer_questions(std::move(stop)); });
  state_->indexing = std::jthread([this](std::stop_token stop) { state_->run_index(std::move(stop)); });
}

index& service::where() const noexcept { return state_->where; }

bool service::is_idle() const {
  const std::lock_guard lock(state_->mutex);
  const auto now = steady_clock::now();
  return !state_->busy && std::ranges::none_of(state_->accounts, [&](const auto& one) { return one.second.due <= now; });
}

base::task<base::result<findings>> service::find(store::account_id account, store::mailbox_id mailbox,
                                                 std::vector<probe> probes) {
  auto& all = *state_;
  auto got = co_await base::wait_for<state::answer>([&](base::completion<state::answer> done) {
    const std::lock_guard lock(all.mutex);
    if (all.questions.size() >= waiting_questions) return done(base::fail(base::errc::unavailable));
    all.questions.push_back([&, done = std::move(done)](bool cancelled) mutable {
      cancelled ? done(base::fail(base::errc::cancelled)) : done(all.where.find(account, mailbox, probes));
    });
    all.asked.notify_one();
  });
  if (got == base::fail(base::errc::corrupt)) rebuild(account);
  co_return got;
}

void service::rebuild(store::account_id account) {
  const std::lock_guard lock(state_->mutex);
  for (auto& [id, one] : state_->accounts) {
    if (!account.empty() && id != account) continue;
    one.erase = one.all = true;
    one.due = steady_clock::now();
  }
  state_->woken.notify_one();
}

void service::forget(store::account_id account) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->accounts.find(account);
  if (found == state_->accounts.end()) return;
  found->second.gone = true;
  found->second.due = steady_clock::now();
  state_->woken.notify_one();
}

void service::state::answer_questions(std::stop_token stop) {
  for (;;) {
    question next;
    {
      std::unique_lock lock(mutex);
      if (!asked.wait(lock, stop, [this] { return !questions.empty(); })) return;
      next = std::move(questions.front());
      questions.pop_front();
    }
    const auto begun = steady_clock::now();
    next(false);
    if (look_ups != nullptr) look_ups->record(steady_clock::now() - begun);
  }
}

void service::state::run_index(std::stop_token stop) {
  take_low_priority();
  for (auto look_again = steady_clock::now(); !stop.stop_requested();) {
    if (steady_clock::now() >= look_again) {
      look_for_accounts();
      look_again = steady_clock::now() + options.look_for_accounts;
    }
    if (const auto given = next_order(stop, look_again)) serve(stop, *given);
  }
}

// Waits for an account whose turn it is; nothing: `until` came first, or the order of turns changed.
auto service::state::next_order(std::stop_token stop, steady_clock::time_point until) -> std::optional<order> {
  std::unique_lock lock(mutex);
  const auto first = [this] { return std::ranges::min_element(accounts, {}, [](const auto& one) { return one.second.due; }); };
  const auto is_due = [&] { return !accounts.empty() && first()->second.due <= steady_clock::now(); };
  busy = is_due();
  if (!busy) {
    if (!accounts.empty()) until = std::min(until, first()->second.due);
    woken.wait_until(lock, stop, until, [&] { return !accounts.empty() && first()->second.due < until; });
    if (!is_due()) return std::nullopt;
    busy = true;
  }
  auto& [id, one] = *first();
  const bool late = one.changed != steady_clock::time_point::max() && one.changed + options.lag <= steady_clock::now();
  const order out{id, one.changed, one.all || late, one.erase, one.gone};
  one.due = one.changed = steady_clock::time_point::max();
  one.all = one.erase = false;
  return out;
}

// Accounts that came are watched, and indexes of those that are gone are erased.
void service::state::look_for_accounts() {
  const auto listed = base::sync_wait(directory.accounts());
  if (!listed) return;
  std::set<store::account_id> here;
  for (const auto& one : *listed) {
    here.insert(one.id);
    {
      const std::lock_guard lock(mutex);
      const auto [at, is_new] = accounts.try_emplace(one.id);
      if (!is_new) continue;
      at->second.due = at->second.changed = steady_clock::now();
    }
    auto watch = mail.watch(one.id, [this, id = one.id](store::mailbox_id) { note_change(id); });
    const std::lock_guard lock(mutex);
    accounts[one.id].watch = std::move(watch);
  }
  for (const auto& id : where.accounts())
    if (!here.contains(id)) erase(id);
  std::vector<store::subscription> ended;  // outside of the lock: an end waits for calls under way
  const std::lock_guard lock(mutex);
  for (auto at = accounts.begin(); at != accounts.end();) {
    if (here.contains(at->first)) {
      ++at;
      continue;
    }
    ended.push_back(std::move(at->second.watch));
    at = accounts.erase(at);
  }
}

void service::state::note_change(const store::account_id& id) {
  const std::lock_guard lock(mutex);
  const auto now = steady_clock::now();
  others.committed(now);
  const auto found = accounts.find(id);
  if (found == accounts.end()) return;
  found->second.changed = std::min(found->second.changed, now);
  if (found->second.due <= now + options.settle) return;
  found->second.due = now + options.settle;
  woken.notify_one();
}

void service::state::erase(const store::account_id& id) {
  const auto done = where.erase(id);
  if (done) options.log->log(log_level::info, "index.erased", {{"account", id}});
  else if (done.error() != base::errc::not_found)
    options.log->log(log_level::error, "index.failed", {{"account", id}, {"reason", done.error().message()}});
}

void service::state::stand_aside(const std::stop_token& stop, steady_clock::time_point latest) {
  if (steady_clock::now() < asks_next) return;
  std::unique_lock lock(mutex);
  for (; !stop.stop_requested(); rested.wait_for(lock, stop, piece_of_rest, [] { return false; })) {
    const auto now = steady_clock::now();
    asks_next = now + piece_of_rest;
    others.others_used(now, time_of_others());
    if (!others.must_rest(now, latest)) return;
  }
}

void service::state::serve(const std::stop_token& stop, const order& given) {
  const auto begun = steady_clock::now();
  if (given.erase || given.gone) erase(given.id);
  if (given.gone) return;
  const auto latest = std::min(given.changed, begun) + options.lag;
  const auto done = account_indexer(where, mail, options, [&] { return stop.stop_requested(); },
                                    [&] { stand_aside(stop, latest); })
                        .run(given.id, given.all);
  if (!done) return note_failure(given, done.error());
  if (indexed != nullptr) indexed->add(done->indexed);
  if (done->indexed != 0 || done->removed != 0) {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - begun).count();
    options.log->log(log_level::info, "index.built", {{"account", given.id}, {"messages", done->indexed},
                                                      {"removed", done->removed}, {"milliseconds", took}});
  }
  const std::lock_guard lock(mutex);
  const auto found = accounts.find(given.id);
  if (found == accounts.end()) return;
  auto& one = found->second;
  if (done->more) {
    one.all = one.all || given.all;
    one.due = steady_clock::now();
  } else if (done->waiting) {
    one.changed = std::min({one.changed, given.changed, begun});
    one.due = std::min(one.due, one.changed + options.lag);
  }
}

// What is damaged is built anew; anything else is tried again later.
void service::state::note_failure(const order& given, std::error_code why) {
  const bool damaged = why == base::errc::corrupt;
  options.log->log(log_level::warning, "index.failed", {{"account", given.id}, {"reason", why.message()}});
  const std::lock_guard lock(mutex);
  const auto found = accounts.find(given.id);
  if (found == accounts.end()) return;
  auto& one = found->second;
  one.all = true;
  const bool is_asked_for = one.erase || one.gone;  // while it failed: rebuild() or forget()
  const auto again = steady_clock::now() + (damaged ? options.settle : std::chrono::milliseconds(retry_after));
  one.due = is_asked_for ? std::min(one.due, again) : again;
  one.erase = one.erase || damaged;
}

}  // namespace briefwerk::search

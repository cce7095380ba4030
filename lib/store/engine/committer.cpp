#include "briefwerk/store/committer.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <coroutine>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "briefwerk/base/limits.hpp"
#include "store/engine/known_rows.hpp"
#include "store/engine/lone_writer.hpp"
#include "store/engine/names.hpp"
#include "store/engine/overlay.hpp"
#include "store/engine/watchers.hpp"

namespace briefwerk::store {
namespace {

// After so many groups in a row in which another process was first, the writers are told.
constexpr int conflict_rounds = 32;
constexpr std::chrono::microseconds most_gathering{100};
constexpr std::size_t known_octets = 8u << 20;

using steady = std::chrono::steady_clock;

// A chain that waits for its commit. Not base::wait_for, which posts each answer by itself: what a group answers goes
// to each thread in one piece.
struct waiting_chain {
  std::optional<base::result<receipt>> value;
  std::coroutine_handle<> chain;
  base::executor* runs_on = nullptr;
  std::atomic<bool> met{false};  // set by whichever comes second: the answer, or the suspension

  // True: the chain is suspended, and is to be resumed by the caller.
  bool answer(base::result<receipt> r) {
    value.emplace(std::move(r));
    return met.exchange(true, std::memory_order_acq_rel);
  }
};

// Chains that are answered, by thread.
class resumptions {
 public:
  void add(const waiting_chain& w) {
    for (auto& [where, chains] : of_)
      if (where == w.runs_on) return chains.push_back(w.chain);
    of_.push_back({w.runs_on, {w.chain}});
  }
  void run() {
    for (auto& [where, chains] : of_) {
      auto all = [chains = std::move(chains)] {
        for (const auto chain : chains) chain.resume();
      };
      if (where != nullptr)
        where->post(std::move(all));
      else
        all();
    }
    of_.clear();
  }

 private:
  std::vector<std::pair<base::executor*, std::vector<std::coroutine_handle<>>>> of_;
};

struct pending {
  transaction what;
  committer::answer done;
  waiting_chain* waits = nullptr;  // instead of `done`
  std::uint64_t octets = 0;
  steady::time_point since;
  std::vector<encoded_blob> blobs;
  std::vector<blob_ref> refs;
  std::optional<std::error_code> outcome;  // set: decided, and not to be run (again)
  std::vector<version_number> versions;
};

// One partition of the group in work.
struct partition_work {
  std::unique_ptr<overlay> now;
  bool committed = false;
  version_number version = 0;
};

// Carries one group through: functions, commit, and again what met a conflict.
class group_work {
 public:
  group_work(engine& where, std::vector<pending>& members, row_cache& known)
      : where_(where), members_(members), known_(known) {}

  void run() {
    std::uint64_t octets = 0;
    for (const auto& m : members_)
      for (const auto& blob : m.blobs) octets += blob.stored_size;
    auto begun = where_.begin(octets);
    if (!begun) return fail_all(begun.error());
    place(**begun);
    for (int round = 0; round < conflict_rounds; ++round) {
      if (!run_functions()) {
        drop_views();
        continue;
      }
      if (commit(**begun)) return keep_known();
    }
    fail_all(make_error_code(base::errc::conflict));
  }

 private:
  void place(group& g) {
    for (auto& m : members_) {
      for (const auto& blob : m.blobs) {
        auto ref = g.place(blob);
        if (!ref) m.outcome = ref.error();
        if (!ref) break;
        m.refs.push_back(*ref);
      }
      m.versions.assign(m.what.steps.size(), 0);
    }
  }

  base::result<partition_work*> open(const std::string& name) {
    auto [at, fresh] = parts_.try_emplace(name);
    partition_work& part = at->second;
    if (!part.now) {
      const auto version = where_.version(name);
      if (!version) return base::fail(version.error());
      part.now = std::make_unique<overlay>(where_, at->first, known_.take(name, *version));
      part.version = *version;
    }
    return &part;
  }

  // False: another process was first while the functions ran, and they have to run again.
  bool run_functions() {
    std::vector<overlay::undo> log;
    for (auto& m : members_) {
      if (m.outcome) continue;
      const base::status ran = run_steps(m, log);
      if (!ran) {
        if (ran.error() == base::errc::conflict && is_any_stale()) return false;
        m.outcome = ran.error();
        overlay::take_back(log);
      }
      log.clear();
    }
    return true;
  }

  bool is_any_stale() const {
    return std::ranges::any_of(parts_, [](const auto& part) { return part.second.now && part.second.now->is_stale(); });
  }

  base::status run_steps(pending& m, std::vector<overlay::undo>& log) {
    for (auto& step : m.what.steps) {
      auto part = open(step.partition);
      if (!part) return base::fail(part.error());
      if ((*part)->committed) continue;
      batch out;
      const base::status ran = step.apply(*(*part)->now, m.refs, out);
      if (!ran) return ran;
      if (!good_batch(out)) return base::fail(base::errc::malformed);
      (*part)->now->apply(std::move(out), log);
    }
    return {};
  }

  // True when every member's fate is known.
  bool commit(group& g) {
    std::vector<change> changes;
    for (auto& [name, part] : parts_)
      if (!part.committed && !part.now->written().empty())
        changes.push_back({name, part.now->version(), &part.now->written(), {}, 0});
    const bool alone = members_.size() == 1;
    g.commit(changes, alone ? members_.front().what.meanwhile : nullptr);
    bool again = false;
    std::unordered_map<std::string_view, std::error_code> failed;
    for (const change& c : changes) {
      partition_work& part = parts_.find(c.partition)->second;
      if (!c.outcome) {
        part.committed = true;
        part.version = c.committed;
      } else if (c.outcome == base::errc::conflict) {
        again = true;
        part.now.reset();
      } else {
        failed.emplace(c.partition, c.outcome);
      }
    }
    if (again && where_.group_is_atomic()) drop_views();
    if (!failed.empty()) fail_members(failed, where_.group_is_atomic());
    if (again) return false;
    for (auto& m : members_) settle(m);
    return true;
  }

  // All stand or fall together: what was read beside the conflict is read again too.
  void drop_views() {
    for (auto& [name, part] : parts_)
      if (!part.committed) part.now.reset();
  }

  void fail_members(const std::unordered_map<std::string_view, std::error_code>& failed, bool all) {
    for (auto& m : members_) {
      if (m.outcome) continue;
      if (all) m.outcome = failed.begin()->second;
      for (const auto& step : m.what.steps)
        if (const auto at = failed.find(step.partition); at != failed.end()) m.outcome = at->second;
    }
  }

  void settle(pending& m) {
    if (!m.outcome) m.outcome = std::error_code();
    if (*m.outcome) return;
    for (std::size_t i = 0; i < m.what.steps.size(); ++i)
      m.versions[i] = parts_.find(m.what.steps[i].partition)->second.version;
  }

  void keep_known() {
    for (auto& [name, part] : parts_)
      if (part.now && (part.committed || part.now->written().empty())) known_.put(name, part.now->take_known(part.version));
  }

  void fail_all(std::error_code why) {
    for (auto& m : members_)
      if (!m.outcome) m.outcome = why;
  }

  engine& where_;
  std::vector<pending>& members_;
  row_cache& known_;
  std::unordered_map<std::string, partition_work, text_hash, std::equal_to<>> parts_;
};

}  // namespace

struct committer::state {
  state(engine& where, options settings) : where_(where), settings_(settings), lone_(settings.longest_on_asking_thread) {
    if (settings_.figures != nullptr) {
      groups_ = &settings_.figures->get_counter("store.commit.groups");
      transactions_ = &settings_.figures->get_counter("store.commit.transactions");
      octets_ = &settings_.figures->get_counter("store.commit.octets");
      refused_ = &settings_.figures->get_counter("store.commit.refused");
      latency_ = &settings_.figures->get_histogram("store.commit.latency");
      group_time_ = &settings_.figures->get_histogram("store.commit.group_time");
    }
    for (std::size_t i = 0; i < std::max<std::size_t>(settings_.encoders, 1); ++i)
      encoders_.emplace_back([this] { encode_loop(); });
    writer_ = std::thread([this] { write_loop(); });
  }
  state(const state&) = delete;

  ~state() {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    to_encode_.notify_all();
    for (auto& t : encoders_) t.join();
    {
      std::lock_guard lock(mutex_);
      encoders_gone_ = true;
    }
    to_write_.notify_all();
    writer_.join();
  }

  void submit(transaction what, answer done, waiting_chain* waits) {
    auto p = std::make_unique<pending>();
    p->what = std::move(what);
    p->done = std::move(done);
    p->waits = waits;
    const bool large = measure(*p);
    if (!large) {
      const base::status encoded = encode(*p);
      if (!encoded) return refuse(*p, encoded.error());
    }
    p->since = steady::now();
    if (const auto refused = enqueue(p, large)) refuse(*p, make_error_code(*refused));
  }

  // Commits a brief transaction that comes alone at once, on this thread. Nothing: it is for submit() as it was.
  std::optional<base::result<receipt>> commit_here(transaction& what) {
    if (!what.brief) return std::nullopt;
    std::vector<pending> members(1);
    pending& mine = members.front();
    mine.what = std::move(what);
    if (measure(mine) || !become_writer(mine.octets)) {
      what = std::move(mine.what);
      return std::nullopt;
    }
    mine.since = steady::now();
    if (const base::status encoded = encode(mine); !encoded) mine.outcome = encoded.error();
    const auto took = write_group(members);
    base::result<receipt> answer = outcome_of(mine);
    const std::uint64_t octets = mine.octets;
    members.clear();
    std::lock_guard lock(mutex_);
    leave_writing(1, octets, took);
    if (!write_queue_.empty() || encoders_gone_) to_write_.notify_one();
    return answer;
  }

 private:
  // Whether the commit thread may get it only by way of the encoders.
  static bool measure(pending& p) {
    bool large = false;
    for (const auto& parts : p.what.blobs) {
      std::uint64_t size = 0;
      for (const auto part : parts) size += part.size();
      large = large || size > base::limits::store_encode_inline;
      p.octets += size;
    }
    return large;
  }

  bool become_writer(std::uint64_t octets) {
    std::lock_guard lock(mutex_);
    if (closing_ || writing_ || pending_count_ != 0 || !lone_.takes_next()) return false;
    writing_ = true;
    pending_count_ = 1;
    pending_octets_ = octets;
    return true;
  }

  // With the lock held.
  void leave_writing(std::size_t count, std::uint64_t octets, steady::duration took) {
    writing_ = false;
    last_group_ = count;
    pending_count_ -= count;
    pending_octets_ -= octets;
    lone_.written(count, took, pending_count_ != 0);
  }

  // Inside submit(), so a chain is not suspended yet.
  static void refuse(pending& p, std::error_code why) {
    if (p.waits != nullptr)
      p.waits->answer(base::fail(why));
    else
      p.done(base::fail(why));
  }

  std::optional<base::errc> enqueue(std::unique_ptr<pending>& p, bool large) {
    std::lock_guard lock(mutex_);
    if (closing_) return base::errc::cancelled;
    const bool full = pending_count_ >= settings_.pending_transactions ||
                      (pending_count_ > 0 && pending_octets_ + p->octets > settings_.pending_octets);
    if (full) {
      if (refused_ != nullptr) refused_->add();
      return base::errc::limit_exceeded;
    }
    ++pending_count_;
    pending_octets_ += p->octets;
    if (large) {
      encode_queue_.push_back(std::move(p));
      to_encode_.notify_one();
    } else {
      write_queue_.push_back(std::move(p));
      waiting_.store(write_queue_.size(), std::memory_order_relaxed);
      wake_writer();
    }
    return std::nullopt;
  }

  // A thread that commits for itself wakes it when it is done.
  void wake_writer() {
    if (writer_idle_ && !writing_) to_write_.notify_one();
  }

  base::status encode(pending& p) {
    for (const auto& parts : p.what.blobs) {
      auto blob = where_.encode(parts);
      if (!blob) return base::fail(blob.error());
      p.blobs.push_back(std::move(*blob));
    }
    return {};
  }

  void encode_loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      to_encode_.wait(lock, [&] { return closing_ || !encode_queue_.empty(); });
      if (encode_queue_.empty()) return;
      auto p = std::move(encode_queue_.front());
      encode_queue_.pop_front();
      lock.unlock();
      const base::status encoded = encode(*p);
      if (!encoded) p->outcome = encoded.error();
      lock.lock();
      write_queue_.push_back(std::move(p));
      wake_writer();
    }
  }

  void write_loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      writer_idle_ = true;
      to_write_.wait(lock, [&] { return !writing_ && (encoders_gone_ || !write_queue_.empty()); });
      writer_idle_ = false;
      if (write_queue_.empty()) return;
      writing_ = true;
      gather(lock);
      std::vector<pending> members = take_group();
      lock.unlock();
      const std::size_t count = members.size();
      std::uint64_t octets = 0;
      for (const auto& m : members) octets += m.octets;
      const auto took = write_group(members);
      resumptions answered;
      for (auto& m : members) answer(m, answered);
      members.clear();  // before their threads go on: they would wait for the same memory's locks
      lock.lock();
      leave_writing(count, octets, took);
      lock.unlock();  // before those who come again at once ask whether they are alone
      answered.run();
      lock.lock();
    }
  }

  // Where many write at once, those whom the last group answered are about to come again: waiting a moment for them
  // spares a sync, and costs nothing to the one who writes alone.
  void gather(std::unique_lock<std::mutex>& lock) {
    if (last_group_ < 2 || write_queue_.size() >= last_group_ || encoders_gone_) return;
    waiting_.store(write_queue_.size(), std::memory_order_relaxed);
    lock.unlock();
    const auto until = steady::now() + most_gathering;
    while (waiting_.load(std::memory_order_relaxed) < last_group_ && steady::now() < until) std::this_thread::yield();
    lock.lock();
  }

  std::vector<pending> take_group() {
    std::vector<pending> members;
    std::uint64_t octets = 0;
    while (!write_queue_.empty() && members.size() < settings_.group_transactions) {
      auto& next = write_queue_.front();
      if (!members.empty() && octets + next->octets > settings_.group_octets) break;
      octets += next->octets;
      members.push_back(std::move(*next));
      write_queue_.pop_front();
    }
    return members;
  }

  steady::duration write_group(std::vector<pending>& members) {
    const auto begin = steady::now();
    group_work(where_, members, known_).run();
    const auto end = steady::now();
    if (groups_ == nullptr) return end - begin;
    std::uint64_t octets = 0;
    for (const auto& m : members) {
      octets += m.octets;
      latency_->record(end - m.since);
    }
    groups_->add();
    transactions_->add(static_cast<std::int64_t>(members.size()));
    octets_->add(static_cast<std::int64_t>(octets));
    group_time_->record(end - begin);
    return end - begin;
  }

  static base::result<receipt> outcome_of(pending& m) {
    if (*m.outcome) return base::fail(*m.outcome);
    return receipt{std::move(m.versions)};
  }

  static void answer(pending& m, resumptions& answered) {
    if (m.waits == nullptr)
      m.done(outcome_of(m));
    else if (m.waits->answer(outcome_of(m)))
      answered.add(*m.waits);
  }

  engine& where_;
  const options settings_;
  base::counter *groups_ = nullptr, *transactions_ = nullptr, *octets_ = nullptr, *refused_ = nullptr;
  base::histogram *latency_ = nullptr, *group_time_ = nullptr;

  std::mutex mutex_;
  std::condition_variable to_encode_, to_write_;
  std::deque<std::unique_ptr<pending>> encode_queue_, write_queue_;
  std::size_t pending_count_ = 0;
  std::uint64_t pending_octets_ = 0;
  std::atomic<std::size_t> waiting_{0};  // size of write_queue_, for the writer while it gathers
  std::size_t last_group_ = 0;           // of who is writing
  lone_writer lone_;
  bool writing_ = false;      // a group is in work, on whichever thread
  bool writer_idle_ = false;  // the commit thread is
  bool closing_ = false;
  bool encoders_gone_ = false;
  row_cache known_{known_octets};  // of who is writing
  std::vector<std::thread> encoders_;
  std::thread writer_;
};

committer::committer(engine& where) : committer(where, options{}) {}
committer::committer(engine& where, options settings) : state_(std::make_unique<state>(where, settings)) {}
committer::~committer() = default;

void committer::submit(transaction what, answer done) { state_->submit(std::move(what), std::move(done), nullptr); }

namespace {

template <class Submit>
struct commit_awaiter {
  Submit submit;
  waiting_chain waits;

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> chain) {
    waits.chain = chain;
    waits.runs_on = chain.promise().runs_on;
    submit(&waits);
    return !waits.met.exchange(true, std::memory_order_acq_rel);
  }
  base::result<receipt> await_resume() { return std::move(*waits.value); }
};

}  // namespace

base::task<base::result<receipt>> committer::commit(transaction what) {
  if (auto done = state_->commit_here(what)) co_return std::move(*done);
  const auto submit = [&](waiting_chain* waits) { state_->submit(std::move(what), nullptr, waits); };
  commit_awaiter<decltype(submit)> here{submit, {}};
  co_return co_await here;
}

}  // namespace briefwerk::store

#include "briefwerk/base/task.hpp"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

namespace briefwerk::base {

using steady = std::chrono::steady_clock;

struct blocking_executor::state {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::move_only_function<void()>> queue;
  std::multimap<steady::time_point, std::move_only_function<void()>> timers;  // of the thread that runs; not locked
};

blocking_executor::blocking_executor() : state_(std::make_unique<state>()) {}
blocking_executor::~blocking_executor() = default;

void blocking_executor::post(std::move_only_function<void()> work) {
  // Notified under the lock: the thread that runs may destroy this object as soon as it has seen the work.
  std::lock_guard lock(state_->mutex);
  state_->queue.push_back(std::move(work));
  state_->changed.notify_one();
}

std::unique_ptr<timer> blocking_executor::start_timer(std::chrono::nanoseconds delay,
                                                      std::move_only_function<void()> work) {
  using timers = decltype(state::timers);
  struct entry final : timer {
    entry(timers& of, timers::iterator at) : all(of), place(at) {}
    ~entry() override {
      if (!*fired) all.erase(place);
    }
    timers& all;
    timers::iterator place;
    std::shared_ptr<bool> fired = std::make_shared<bool>(false);
  };
  const auto when = steady::now() + std::chrono::duration_cast<steady::duration>(delay);
  const auto place = state_->timers.emplace(when, nullptr);
  auto made = std::make_unique<entry>(state_->timers, place);
  place->second = [work = std::move(work), fired = made->fired]() mutable {
    *fired = true;
    work();
  };
  return made;
}

void blocking_executor::run_until(const std::atomic<bool>& done) {
  while (!done.load()) {
    std::move_only_function<void()> work;
    auto& timers = state_->timers;
    if (!timers.empty() && timers.begin()->first <= steady::now()) {
      work = std::move(timers.extract(timers.begin()).mapped());
    } else {
      std::unique_lock lock(state_->mutex);
      const auto ready = [&] { return !state_->queue.empty(); };
      if (timers.empty()) state_->changed.wait(lock, ready);
      else if (!state_->changed.wait_until(lock, timers.begin()->first, ready)) continue;
      work = std::move(state_->queue.front());
      state_->queue.pop_front();
    }
    work();
  }
}

}  // namespace briefwerk::base

#include "briefwerk/base/task.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace briefwerk::base {

struct blocking_executor::state {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::move_only_function<void()>> queue;
};

blocking_executor::blocking_executor() : state_(std::make_unique<state>()) {}
blocking_executor::~blocking_executor() = default;

void blocking_executor::post(std::move_only_function<void()> work) {
  // Notified under the lock: the thread that runs may destroy this object as soon as it has seen the work.
  std::lock_guard lock(state_->mutex);
  state_->queue.push_back(std::move(work));
  state_->changed.notify_one();
}

void blocking_executor::run_until(const std::atomic<bool>& done) {
  while (!done.load()) {
    std::move_only_function<void()> work;
    {
      std::unique_lock lock(state_->mutex);
      state_->changed.wait(lock, [&] { return !state_->queue.empty(); });
      work = std::move(state_->queue.front());
      state_->queue.pop_front();
    }
    work();
  }
}

}  // namespace briefwerk::base

#pragma once

// Threads of the store for what may wait for the disk for long.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "briefwerk/base/task.hpp"

namespace briefwerk::store {

class workers final : public base::executor {
 public:
  explicit workers(std::size_t count) {
    for (std::size_t i = 0; i < (count == 0 ? 1 : count); ++i) threads_.emplace_back([this] { run(); });
  }
  workers(const workers&) = delete;
  ~workers() override {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    more_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  void post(std::move_only_function<void()> work) override {
    {
      std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
    }
    more_.notify_one();
  }

  // Runs `f` (which answers a T, a result) here and the asking chain goes on with its answer on its own executor.
  template <class T, class F>
  base::task<T> ask(F f) {
    co_return co_await base::wait_for<T>([&](base::completion<T> done) {
      post([&f, answer = std::move(done)]() mutable { answer(f()); });
    });
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      more_.wait(lock, [&] { return closing_ || !queue_.empty(); });
      if (queue_.empty()) return;
      auto work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
      work = nullptr;
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::move_only_function<void()>> queue_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace briefwerk::store

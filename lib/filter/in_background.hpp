#pragma once

// An answer that is worked on while its asker goes on, and may be waited for later, on one executor.

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "briefwerk/base/task.hpp"

namespace briefwerk::filter {

template <class T>
class in_background {
 public:
  bool is_begun() const noexcept { return begun_; }
  const std::optional<T>& value() const noexcept { return value_; }

  // Begins inside the call; `self` keeps this object alive until the work has ended. One that throws answers T{}.
  static void begin(std::shared_ptr<in_background> self, base::executor* here, base::task<T> work) {
    self->begun_ = true;
    base::detail::start(here, run(std::move(self), std::move(work)));
  }

  // Only what was begun ends.
  static base::task<T> wait(std::shared_ptr<in_background> self) {
    if (!self->value_) {
      (void)co_await base::wait_for<base::status>(
          [&self](base::completion<base::status> done) { self->waiters_.push_back(std::move(done)); });
    }
    co_return *self->value_;
  }

 private:
  static base::task<void> run(std::shared_ptr<in_background> self, base::task<T> work) {
    try {
      self->value_.emplace(co_await std::move(work));
    } catch (...) {
      self->value_.emplace();
    }
    for (auto& waiter : std::exchange(self->waiters_, {})) waiter(base::status());
  }

  std::optional<T> value_;
  std::vector<base::completion<base::status>> waiters_;
  bool begun_ = false;
};

}  // namespace briefwerk::filter

#pragma once

// A time limit for work that looks at nothing of its caller's: a DNS query, not a walk through a message.

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "briefwerk/base/task.hpp"

namespace briefwerk::base {

namespace detail {

template <class T>
struct limited {
  std::optional<T> value;
  std::optional<completion<status>> waiter;
  std::unique_ptr<timer> limit;

  void wake() {
    if (waiter) (*std::exchange(waiter, std::nullopt))(status());
  }
};

template <class T>
task<void> run_limited(task<T> work, std::shared_ptr<limited<T>> shared) {
  std::optional<T> answer;
  try {
    answer.emplace(co_await std::move(work));
  } catch (...) {
  }
  shared->value = std::move(answer);
  shared->limit.reset();
  shared->wake();
}

}  // namespace detail

// The answer of `work`, or nothing when `limit` passes first or it throws. Then the work goes on alone: what it refers
// to, and the executor, must outlive it. Without a limit where the executor has no clock.
template <class T>
task<std::optional<T>> within(std::chrono::nanoseconds limit, task<T> work) {
  executor* const here = co_await this_executor();
  const auto shared = std::make_shared<detail::limited<T>>();
  detail::start(here, detail::run_limited(std::move(work), shared));
  if (!shared->value) {
    (void)co_await wait_for<status>([&](completion<status> done) {
      shared->waiter.emplace(std::move(done));
      if (here) shared->limit = here->start_timer(limit, [raw = shared.get()] { raw->wake(); });
    });
  }
  std::optional<T> answer = std::move(shared->value);
  shared->limit.reset();
  co_return answer;
}

}  // namespace briefwerk::base

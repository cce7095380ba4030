#pragma once

// Several tasks side by side on the executor of whoever awaits them: each begins at once, the answer comes when all
// have ended. They share one thread, so what they touch needs no lock.
//
//   std::vector<task<dns_answer>> questions;
//   for (const auto& name : names) questions.push_back(resolver.query(name, dns_type::a));
//   const std::vector<dns_answer> answers = co_await when_all(std::move(questions));

#include <cstddef>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "briefwerk/base/task.hpp"

namespace briefwerk::base {

namespace detail {

// Counts tasks of one executor down to the last; the waiting chain keeps it alive.
class countdown {
 public:
  explicit countdown(std::size_t count) noexcept : left_(count) {}
  void ended() {
    if (--left_ == 0 && waiter_) (*std::exchange(waiter_, std::nullopt))(status());
  }
  auto wait() {
    return wait_for<status>([this](completion<status> done) {
      if (left_ == 0) done(status());
      else waiter_.emplace(std::move(done));
    });
  }

 private:
  std::size_t left_;
  std::optional<completion<status>> waiter_;
};

template <class T>
struct gathered {
  std::optional<T> value;
  std::exception_ptr failure;
};

template <class T>
task<void> gather(task<T> work, gathered<T>& into, countdown& all) {
  try {
    into.value.emplace(co_await std::move(work));
  } catch (...) {
    into.failure = std::current_exception();
  }
  all.ended();
}

}  // namespace detail

// Answers in the order of `work`. Where tasks threw, the first one's exception is thrown, after all have ended.
template <class T>
task<std::vector<T>> when_all(std::vector<task<T>> work) {
  executor* const here = co_await this_executor();
  std::vector<detail::gathered<T>> answers(work.size());
  detail::countdown all(work.size());
  for (std::size_t i = 0; i < work.size(); ++i) {
    detail::start(here, detail::gather(std::move(work[i]), answers[i], all));
  }
  (void)co_await all.wait();
  std::vector<T> out;
  out.reserve(answers.size());
  for (auto& one : answers) {
    if (one.failure) std::rethrow_exception(one.failure);
    out.push_back(std::move(*one.value));
  }
  co_return out;
}

}  // namespace briefwerk::base

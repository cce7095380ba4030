#pragma once

// Coroutines of the library, without any I/O library: task<T> is lazy, starts when it is awaited
// and resumes whoever awaits it. A chain of tasks belongs to one executor (a thread's event loop):
// every wait resumes there, whatever thread the answer came from, so code in a chain takes no lock.
//
//   task<result<int>> size_of(store& s) {
//     auto message = co_await s.read(...);      // resumes on the caller's thread
//     if (!message) co_return fail(message.error());
//     co_return message->size();
//   }
//
// A wait that is answered at once does not suspend and does not grow the stack, in any build type.

#include <atomic>
#include <chrono>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "briefwerk/base/result.hpp"

namespace briefwerk::base {

// Work that an executor will run later. Destroyed, on the executor's thread, it does not run any more.
class timer {
 public:
  virtual ~timer() = default;
};

// Where work runs. post() may be called from any thread and never runs the function inside the call.
class executor {
 public:
  virtual ~executor() = default;
  virtual void post(std::move_only_function<void()> work) = 0;
  // On the executor's own thread: runs `work` there once, after `delay`. The timer must not outlive the executor. Null:
  // this executor has no clock, and nothing will run.
  virtual std::unique_ptr<timer> start_timer(std::chrono::nanoseconds, std::move_only_function<void()>) { return nullptr; }
};

template <class T>
class task;

namespace detail {

struct promise_base {
  std::coroutine_handle<> continuation;
  executor* runs_on = nullptr;
  std::exception_ptr failure;
  // Set by whichever comes second: the end of this coroutine, or the suspension of its awaiter.
  std::atomic<bool> met{false};

  struct final_awaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      promise_base& promise = ended.promise();
      std::coroutine_handle<> next = promise.continuation;
      if (promise.met.exchange(true, std::memory_order_acq_rel)) return next;
      return std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  final_awaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { failure = std::current_exception(); }
};

template <class T>
struct task_promise : promise_base {
  std::optional<T> value;
  task<T> get_return_object() noexcept;
  template <class U = T>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& u) {
    value.emplace(std::forward<U>(u));
  }
  T take() {
    if (failure) std::rethrow_exception(failure);
    return std::move(*value);
  }
};

template <>
struct task_promise<void> : promise_base {
  task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void take() {
    if (failure) std::rethrow_exception(failure);
  }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] task {
 public:
  using promise_type = detail::task_promise<T>;
  using handle_type = std::coroutine_handle<promise_type>;

  explicit task(handle_type handle) noexcept : handle_(handle) {}
  task(task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  task& operator=(task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~task() {
    if (handle_) handle_.destroy();
  }

  struct awaiter {
    handle_type handle;
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> parent) {
      promise_type& promise = handle.promise();
      promise.continuation = parent;
      promise.runs_on = parent.promise().runs_on;
      handle.resume();
      // True: the child waits for something, and will resume the parent. False: it ended already.
      return !promise.met.exchange(true, std::memory_order_acq_rel);
    }
    T await_resume() { return handle.promise().take(); }
  };
  awaiter operator co_await() && noexcept { return {handle_}; }

  handle_type release() noexcept { return std::exchange(handle_, {}); }

 private:
  handle_type handle_;
};

namespace detail {

template <class T>
task<T> task_promise<T>::get_return_object() noexcept {
  return task<T>(std::coroutine_handle<task_promise>::from_promise(*this));
}
inline task<void> task_promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<task_promise>::from_promise(*this));
}

template <class T>
struct wait_state {
  std::optional<T> value;
  std::coroutine_handle<> waiter;
  executor* runs_on = nullptr;
  std::atomic<bool> met{false};
};

// The root of a chain: nobody awaits it, it destroys itself at its end. A failure that reaches it is a
// broken invariant.
struct detached {
  struct promise_type {
    executor* runs_on = nullptr;
    detached get_return_object() noexcept { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> handle;
};

inline detached run_detached(task<void> work) { co_await std::move(work); }

// Begins a chain inside the call, on the executor that the caller runs on (null as with this_executor).
inline void start(executor* here, task<void> work) {
  auto root = run_detached(std::move(work));
  root.handle.promise().runs_on = here;
  root.handle.resume();
}

}  // namespace detail

// The right to answer a wait, once, from any thread. T must be constructible from an error
// (result<U>): a completion dropped unanswered answers errc::cancelled, so that no chain hangs.
template <class T>
class completion {
 public:
  explicit completion(detail::wait_state<T>* state) noexcept : state_(state) {}
  completion(completion&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  completion& operator=(completion&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~completion() {
    if (state_) (*this)(T(fail(errc::cancelled)));
  }

  // Answers, and resumes the waiting chain on its executor (posted, unless still inside start()).
  void operator()(T value) {
    auto* state = std::exchange(state_, nullptr);
    state->value.emplace(std::move(value));
    executor* where = state->runs_on;
    std::coroutine_handle<> waiter = state->waiter;
    if (!state->met.exchange(true, std::memory_order_acq_rel)) return;
    if (where != nullptr)
      where->post([waiter] { waiter.resume(); });
    else
      waiter.resume();
  }

  // The same for a caller that already runs on the chain's executor, outside of any task: resumes inside the call.
  void resume_here(T value) {
    auto* state = std::exchange(state_, nullptr);
    state->value.emplace(std::move(value));
    std::coroutine_handle<> waiter = state->waiter;
    if (state->met.exchange(true, std::memory_order_acq_rel)) waiter.resume();
  }

 private:
  detail::wait_state<T>* state_;
};

// Awaitable that calls start(completion<T>) and suspends until the completion is answered.
//   auto n = co_await wait_for<result<int>>([&](auto done) { ask(..., std::move(done)); });
template <class T, class Start>
class wait_for_awaiter {
 public:
  explicit wait_for_awaiter(Start start) : start_(std::move(start)) {}
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> waiter) {
    state_.waiter = waiter;
    state_.runs_on = waiter.promise().runs_on;
    start_(completion<T>(&state_));
    return !state_.met.exchange(true, std::memory_order_acq_rel);
  }
  T await_resume() { return std::move(*state_.value); }

 private:
  Start start_;
  detail::wait_state<T> state_;
};

template <class T, class Start>
wait_for_awaiter<T, Start> wait_for(Start start) {
  return wait_for_awaiter<T, Start>(std::move(start));
}

// co_await this_executor() answers the executor of the running chain (null under a plain sync_wait).
struct this_executor {
  executor* found = nullptr;
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> waiter) noexcept {
    found = waiter.promise().runs_on;
    return false;
  }
  executor* await_resume() const noexcept { return found; }
};

// Starts a chain on an executor and lets it go. The executor must outlive it.
inline void spawn(executor& where, task<void> work) {
  auto root = detail::run_detached(std::move(work));
  root.handle.promise().runs_on = &where;
  where.post([handle = root.handle] { handle.resume(); });
}

// The same, for a caller that runs on `where` already: begins inside the call.
inline void spawn_here(executor& where, task<void> work) { detail::start(&where, std::move(work)); }

// Runs a chain to its end on the calling thread, blocking while it waits. For tests and command-line tools;
// never on a thread that serves an executor which the chain needs.
class blocking_executor final : public executor {
 public:
  blocking_executor();
  ~blocking_executor() override;
  void post(std::move_only_function<void()> work) override;
  std::unique_ptr<timer> start_timer(std::chrono::nanoseconds delay, std::move_only_function<void()> work) override;
  void run_until(const std::atomic<bool>& done);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

template <class T>
T sync_wait(task<T> work) {
  blocking_executor here;
  std::atomic<bool> done{false};
  if constexpr (std::is_void_v<T>) {
    std::exception_ptr failure;
    auto wrap = [](task<void> inner, std::exception_ptr& out, std::atomic<bool>& end, executor& ex) -> task<void> {
      try {
        co_await std::move(inner);
      } catch (...) {
        out = std::current_exception();
      }
      end.store(true);
      ex.post([] {});
    };
    spawn(here, wrap(std::move(work), failure, done, here));
    here.run_until(done);
    if (failure) std::rethrow_exception(failure);
  } else {
    std::optional<T> value;
    std::exception_ptr failure;
    auto wrap = [](task<T> inner, std::optional<T>& out, std::exception_ptr& error, std::atomic<bool>& end,
                   executor& ex) -> task<void> {
      try {
        out.emplace(co_await std::move(inner));
      } catch (...) {
        error = std::current_exception();
      }
      end.store(true);
      ex.post([] {});
    };
    spawn(here, wrap(std::move(work), value, failure, done, here));
    here.run_until(done);
    if (failure) std::rethrow_exception(failure);
    return std::move(*value);
  }
}

}  // namespace briefwerk::base

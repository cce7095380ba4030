#pragma once

#include <coroutine>

#include "briefwerk/base/task.hpp"

namespace briefwerk::server::imap {

// Lets the thread's other sessions run; goes on behind what is posted already.
struct yield {
  base::executor& where;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const {
    where.post([waiter] { waiter.resume(); });
  }
  void await_resume() const noexcept {}
};

}  // namespace briefwerk::server::imap

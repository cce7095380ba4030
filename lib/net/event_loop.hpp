#pragma once

// The inside of an io_thread.

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include <atomic>
#include <list>
#include <memory>
#include <thread>

#include "briefwerk/net/io_threads.hpp"

namespace briefwerk::net {

namespace detail {
struct stream_core;
}

// Bound to the concrete executor: the type-erased one costs an allocation and a virtual call for each operation.
using loop_executor = asio::io_context::executor_type;
using loop_descriptor = asio::posix::basic_stream_descriptor<loop_executor>;
using loop_timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, loop_executor>;

// Something that has to hear of the end: a listener's acceptor on this thread, a running sleep.
class stop_listener {
 public:
  virtual void on_stopping() = 0;

 protected:
  ~stop_listener() = default;
};

struct io_thread::impl {
  // One thread runs it: hint 1 spares the wake-ups among several.
  asio::io_context context{1};
  asio::executor_work_guard<loop_executor> work{context.get_executor()};
  std::atomic<std::thread::id> runs_on{};
  std::atomic<std::size_t> streams{0};
  bool stopping = false;
  detail::stream_core* first_stream = nullptr;  // intrusive list of the open streams
  std::list<stop_listener*> stop_listeners;

  // Shared by all streams of the thread while one of their attempts runs; nothing stays here between two.
  static constexpr std::size_t scratch_size = 65536;
  static constexpr std::size_t record_size = 16384;  // RFC 8446 §5.1
  std::unique_ptr<char[]> scratch = std::make_unique_for_overwrite<char[]>(scratch_size);
  std::unique_ptr<char[]> record = std::make_unique_for_overwrite<char[]>(record_size);
};

}  // namespace briefwerk::net

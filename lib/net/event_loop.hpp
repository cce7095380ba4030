#pragma once

// The inside of an io_thread.

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "briefwerk/net/io_threads.hpp"
#include "briefwerk/net/turn_line.hpp"
#include "net/short_wait.hpp"

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

// What other threads hand over to a loop, in their order. Without a lock: one of low priority (those that hash
// passwords) may have to stand aside in the middle of it, and the loop would wait with it. Asio's own queue is woken
// up under its lock.
class inbox {
 public:
  inbox();
  ~inbox();  // as clear()
  inbox(const inbox&) = delete;

  void put(std::move_only_function<void()> work);
  int signal() const noexcept { return signal_; }  // an eventfd, readable when there is something
  void run_all();                                  // what is there now
  void clear();                                    // destroys what was not taken

 private:
  struct item {
    std::move_only_function<void()> work;
    item* next;
  };
  std::atomic<item*> newest_{nullptr};
  int signal_;
};

struct io_thread::impl {
  impl() { wait_for_others(); }
  ~impl() {
    from_others.clear();  // may hold sockets of the context
    signal.release();
  }
  impl(const impl&) = delete;

  std::atomic<std::thread::id> runs_on{};
  inbox from_others;  // outlives the context: handlers that are destroyed with that may post
  // One thread runs it: hint 1 spares the wake-ups among several.
  asio::io_context context{1};
  asio::executor_work_guard<loop_executor> work{context.get_executor()};
  loop_descriptor signal{context, from_others.signal()};
  std::uint64_t signals = 0;
  void wait_for_others();
  void serve();  // until the context is stopped
  bool look_for_work();  // false: there was none for so long that it is better to sleep
  // Work came from a socket or from another thread: called before it is done.
  void woken() noexcept {
    if (!waiting) return;
    waiting = false;
    waits.ended(std::chrono::steady_clock::now() - waits_since);
  }
  short_wait waits;
  std::chrono::steady_clock::time_point waits_since;
  bool waiting = false;
  // Steps of TLS handshakes. One is taken between two looks at the sockets: it costs as much as hundreds of commands,
  // and sessions do not wait for all of a crowd that wants in.
  turn_line<std::move_only_function<void()>> handshakes;
  void line_up(standing of, const base::ip_address& peer, std::move_only_function<void()> step);
  void take_step();
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

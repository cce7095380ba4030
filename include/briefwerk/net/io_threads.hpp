#pragma once

// Event loops. An io_thread is one loop and one base::executor; whatever is created on it (streams, timers, sessions)
// lives and dies there and takes no lock. io_threads runs one for each core.
//
//   io_threads threads(0);                         an embedder with a loop of his own thread:
//   threads.start();                                 io_thread loop;
//   listener.start(threads, on_accept);              listener.start(loop, on_accept);
//   ...                                              loop.run();          // until loop.stop()
//   threads.stop(10s);

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "briefwerk/base/task.hpp"
#include "briefwerk/net/error.hpp"

namespace briefwerk::net {

class io_thread final : public base::executor {
 public:
  io_thread();
  // The loop must not be running. Streams, listeners and sleeps made on it must be gone before.
  ~io_thread() override;
  io_thread(const io_thread&) = delete;
  io_thread& operator=(const io_thread&) = delete;

  // From any thread. Work posted after the loop ended is destroyed with this object, unrun.
  void post(std::move_only_function<void()> work) override;
  std::unique_ptr<base::timer> start_timer(std::chrono::nanoseconds delay,
                                           std::move_only_function<void()> work) override;

  // Serves on the calling thread until stop().
  void run();
  // Serves for at most `duration`; for an embedder's own loop and for tests. False when stop() was called.
  bool run_for(std::chrono::milliseconds duration);
  // From any thread: run() returns soon, what still waits stays where it is.
  void stop();

  // True on the thread that is inside run() or run_for().
  bool is_current() const noexcept;

  // The io_thread behind an executor, or null. Inside a chain: io_thread::from(co_await base::this_executor()).
  static io_thread* from(base::executor* executor) noexcept;

  // On this thread. Ends with errc::cancelled when the loop is told to stop.
  base::task<status> sleep_for(std::chrono::nanoseconds duration);

  // Graceful end, on this thread: listeners stop accepting, sleeps end, every readable() that waits or comes answers
  // errc::stopping; operations in progress go on.
  void begin_stopping();
  bool is_stopping() const noexcept;
  // On this thread: closes every stream, their operations answer errc::cancelled.
  void close_streams();
  // Streams that exist on this thread; readable from any thread.
  std::size_t stream_count() const noexcept;

  struct impl;
  impl& internals() noexcept { return *impl_; }  // for the net room itself

 private:
  std::unique_ptr<impl> impl_;
};

// For the running chain's io_thread; errc::unsupported where the chain runs elsewhere.
base::task<status> sleep_for(std::chrono::nanoseconds duration);

class io_threads {
 public:
  // 0: as many as the machine has cores.
  explicit io_threads(unsigned count = 0);
  ~io_threads();  // stop() with no grace

  unsigned size() const noexcept { return static_cast<unsigned>(loops_.size()); }
  io_thread& operator[](unsigned index) noexcept { return *loops_[index]; }
  base::executor& executor(unsigned index) noexcept { return *loops_[index]; }

  // Begins to serve. Once.
  void start();
  // Blocks; not from one of the threads. Stops accepting, tells the sessions (see begin_stopping), waits until all
  // streams are gone or `grace` has passed, closes what is left, ends the threads. A second call does nothing.
  // A session whose stream is gone but whose chain waits for an answer of another thread (a commit, a look-up) then is
  // abandoned: what it asked for is done, and nobody is told. So whoever answers may be stopped after this, and must still
  // be there until the loops are destroyed.
  void stop(std::chrono::milliseconds grace);

 private:
  std::vector<std::unique_ptr<io_thread>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace briefwerk::net

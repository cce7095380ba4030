#include "briefwerk/net/io_threads.hpp"

#include <asio/buffer.hpp>
#include <asio/post.hpp>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#ifdef __linux__
#include <sched.h>
#include <sys/syscall.h>
#endif

#include "net/event_loop.hpp"
#include "net/stream_core.hpp"

namespace briefwerk::net {

io_thread::io_thread() : impl_(std::make_unique<impl>()) {}
io_thread::~io_thread() = default;

namespace {

int make_signal() {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  return fd;
}

}  // namespace

inbox::inbox() : signal_(make_signal()) {}

inbox::~inbox() {
  clear();
  ::close(signal_);
}

// What is destroyed may put in more.
void inbox::clear() {
  while (item* list = newest_.exchange(nullptr)) {
    while (list != nullptr) delete std::exchange(list, list->next);
  }
}

// Who finds it empty gives the signal, and only then is anything taken: nothing of this is touched by anybody who has
// put in something that may have run already.
void inbox::put(std::move_only_function<void()> work) {
  auto* const made = new item{std::move(work), nullptr};
  item* before = newest_.load(std::memory_order_relaxed);
  do {
    made->next = before;
  } while (!newest_.compare_exchange_weak(before, made, std::memory_order_release, std::memory_order_relaxed));
  if (before != nullptr) return;
  const std::uint64_t one = 1;
  (void)!::write(signal_, &one, sizeof one);
}

void inbox::run_all() {
  item* oldest = nullptr;
  for (item* list = newest_.exchange(nullptr, std::memory_order_acquire); list != nullptr;) {
    item* const one = list;
    list = std::exchange(one->next, oldest);
    oldest = one;
  }
  while (oldest != nullptr) {
    const std::unique_ptr<item> one(std::exchange(oldest, oldest->next));
    one->work();
  }
}

void io_thread::impl::wait_for_others() {
  signal.async_read_some(asio::buffer(&signals, sizeof signals), [this](const std::error_code& error, std::size_t) {
    if (error) return;
    woken();
    wait_for_others();
    from_others.run_all();
  });
}

void io_thread::impl::serve() {
  while (!context.stopped()) {
    waits_since = std::chrono::steady_clock::now();
    waiting = true;
    if (!waits.begins_looking() || !look_for_work()) context.run_one();
    // A timer, or what this thread had posted: says nothing of who talks to it.
    if (std::exchange(waiting, false)) waits.ended(short_wait::is_short);
  }
}

bool io_thread::impl::look_for_work() {
  auto now = waits_since;
  for (;;) {
    if (context.poll() != 0) return true;
    const auto looked = std::exchange(now, std::chrono::steady_clock::now());
    if (!waits.goes_on(now - waits_since, now - looked)) return false;
    std::this_thread::yield();
  }
}

void io_thread::impl::line_up(standing of, const base::ip_address& peer, std::move_only_function<void()> step) {
  handshakes.put(of, peer, std::move(step));
  if (handshakes.size() == 1) asio::post(context, [this] { take_step(); });
}

// What is posted runs after the next look at the sockets.
void io_thread::impl::take_step() {
  auto step = handshakes.take();
  if (!handshakes.empty()) asio::post(context, [this] { take_step(); });
  step();
}

void io_thread::post(std::move_only_function<void()> work) {
  if (is_current()) asio::post(impl_->context, std::move(work));
  else impl_->from_others.put(std::move(work));
}

namespace {

// The handler may be queued already when the timer is destroyed, so both own what it looks at.
struct pending_timer final : base::timer {
  struct shared {
    shared(io_thread::impl& loop, std::chrono::nanoseconds delay, std::move_only_function<void()> run)
        : clock(loop.context, delay), work(std::move(run)) {}
    loop_timer clock;
    std::move_only_function<void()> work;
  };
  explicit pending_timer(std::shared_ptr<shared> made) : state(std::move(made)) {}
  ~pending_timer() override {
    state->work = nullptr;
    state->clock.cancel();
  }
  std::shared_ptr<shared> state;
};

}  // namespace

std::unique_ptr<base::timer> io_thread::start_timer(std::chrono::nanoseconds delay,
                                                    std::move_only_function<void()> work) {
  auto state = std::make_shared<pending_timer::shared>(*impl_, delay, std::move(work));
  state->clock.async_wait([state](const std::error_code& error) {
    if (error || !state->work) return;
    auto due = std::exchange(state->work, nullptr);  // what it does may destroy the timer
    due();
  });
  return std::make_unique<pending_timer>(std::move(state));
}

void io_thread::run() {
  impl_->runs_on = std::this_thread::get_id();
  impl_->serve();
  impl_->runs_on = std::thread::id();
  impl_->context.restart();
}

bool io_thread::run_for(std::chrono::milliseconds duration) {
  impl_->runs_on = std::this_thread::get_id();
  impl_->context.run_for(duration);
  impl_->runs_on = std::thread::id();
  const bool stopped = impl_->context.stopped();
  impl_->context.restart();
  return !stopped;
}

void io_thread::stop() { impl_->context.stop(); }

bool io_thread::is_current() const noexcept { return impl_->runs_on.load() == std::this_thread::get_id(); }

io_thread* io_thread::from(base::executor* executor) noexcept { return dynamic_cast<io_thread*>(executor); }

bool io_thread::is_stopping() const noexcept { return impl_->stopping; }
std::size_t io_thread::stream_count() const noexcept { return impl_->streams.load(); }

void io_thread::begin_stopping() {
  if (impl_->stopping) return;
  impl_->stopping = true;
  const std::list<stop_listener*> told = impl_->stop_listeners;
  for (stop_listener* each : told) each->on_stopping();
  for (auto* core = impl_->first_stream; core != nullptr; core = core->next) core->on_stopping();
}

void io_thread::close_streams() {
  while (impl_->first_stream != nullptr) impl_->first_stream->close();
}

namespace {

struct sleep final : stop_listener {
  sleep(io_thread::impl& loop, std::chrono::nanoseconds duration) : timer(loop.context, duration) {}
  void on_stopping() override { timer.cancel(); }
  loop_timer timer;
};

}  // namespace

base::task<status> io_thread::sleep_for(std::chrono::nanoseconds duration) {
  if (impl_->stopping) co_return fail(base::errc::cancelled);
  sleep here(*impl_, duration);
  const auto place = impl_->stop_listeners.insert(impl_->stop_listeners.end(), &here);
  const status woken = co_await base::wait_for<status>([&here](base::completion<status> done) {
    here.timer.async_wait([done = std::move(done)](const std::error_code& error) mutable {
      if (error)
        done.resume_here(fail(base::errc::cancelled));
      else
        done.resume_here(status());
    });
  });
  impl_->stop_listeners.erase(place);
  co_return woken;
}

base::task<status> sleep_for(std::chrono::nanoseconds duration) {
  base::executor* const here = co_await base::this_executor();
  io_thread* const thread = io_thread::from(here);
  if (thread == nullptr) co_return fail(base::errc::unsupported);
  const status slept = co_await thread->sleep_for(duration);
  co_return slept;
}

io_threads::io_threads(unsigned count) {
  if (count == 0) count = std::max(1u, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < count; ++i) loops_.push_back(std::make_unique<io_thread>());
}

namespace {

// Sessions answer in short turns. Threads that compute, and programs beside us, stand aside for one that becomes ready
// (Linux from 6.12 on; earlier ones ignore it): otherwise it may wait for the end of their slices, milliseconds.
void take_short_turns() {
#if defined(__linux__) && defined(SYS_sched_setattr)
  struct {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
  } how{};
  static_assert(sizeof how == 48);  // SCHED_ATTR_SIZE_VER0
  if (::syscall(SYS_sched_getattr, 0, &how, sizeof how, 0) != 0 || how.policy != SCHED_OTHER) return;
  how.runtime = 100'000;  // ns
  ::syscall(SYS_sched_setattr, 0, &how, 0);
#endif
}

}  // namespace

io_threads::~io_threads() { stop(std::chrono::milliseconds(0)); }

void io_threads::start() {
  for (auto& loop : loops_) {
    threads_.emplace_back([&thread = *loop] {
      take_short_turns();
      thread.run();
    });
  }
}

void io_threads::stop(std::chrono::milliseconds grace) {
  if (threads_.empty()) return;
  const auto until = std::chrono::steady_clock::now() + grace;
  const auto streams_left = [this] {
    return std::any_of(loops_.begin(), loops_.end(), [](const auto& loop) { return loop->stream_count() != 0; });
  };
  for (auto& loop : loops_) loop->post([&thread = *loop] { thread.begin_stopping(); });
  while (streams_left() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  // Two rounds through each loop: the first answers what waits on the closed streams, the second lets the chains
  // that were resumed by that run to their end. What still waits for another thread then is abandoned.
  for (auto& loop : loops_) loop->post([&thread = *loop] { thread.close_streams(); });
  const auto last = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (streams_left() && std::chrono::steady_clock::now() < last)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  for (auto& loop : loops_)
    loop->post([&thread = *loop] { thread.post([&thread] { thread.post([&thread] { thread.stop(); }); }); });
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace briefwerk::net

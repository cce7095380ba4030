#include "briefwerk/net/io_threads.hpp"

#include <asio/post.hpp>

#include <algorithm>
#include <utility>

#include "net/event_loop.hpp"
#include "net/stream_core.hpp"

namespace briefwerk::net {

io_thread::io_thread() : impl_(std::make_unique<impl>()) {}
io_thread::~io_thread() = default;

void io_thread::post(std::move_only_function<void()> work) { asio::post(impl_->context, std::move(work)); }

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
  impl_->context.run();
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

io_threads::~io_threads() { stop(std::chrono::milliseconds(0)); }

void io_threads::start() {
  for (auto& loop : loops_) threads_.emplace_back([&thread = *loop] { thread.run(); });
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

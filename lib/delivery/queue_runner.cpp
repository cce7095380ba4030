#include "briefwerk/delivery/queue_runner.hpp"

#include <algorithm>

#include "delivery/queue_work.hpp"

namespace briefwerk::delivery {

using base::log_level;

namespace {

constexpr std::chrono::seconds tick{1};
constexpr std::int64_t after_error = 10;  // seconds until a queue that could not be read is looked at again
constexpr std::int64_t clock_tolerance = 60;  // seconds that a clock may be corrected by without further ado
constexpr std::size_t listed_at_once = 1000;
constexpr std::chrono::seconds slow_from{60};  // under way for so long, a message holds no place
constexpr std::size_t slow_at_most = 10;       // times the places, together with those that hold one

}  // namespace

std::chrono::seconds retry_wait(const queue_runner_options& options, std::uint32_t attempts) noexcept {
  auto wait = options.retry_first;
  for (std::uint32_t i = 1; i < attempts && wait < options.retry_most; ++i) wait *= 2;
  return std::min(wait, options.retry_most);
}

queue_runner::queue_runner(store::queue_store& queue, store::directory& accounts, base::resolver& names,
                           const base::crypto& crypto, const base::clock& time, queue_runner_options options)
    : impl_(std::make_shared<impl>(queue, accounts, names, crypto, time, std::move(options))) {}

queue_runner::~queue_runner() { stop(); }

void queue_runner::start(net::io_thread& thread) {
  impl_->thread = &thread;
  // The store calls from its own threads, and once for each commit: one wake-up on its way is enough.
  impl_->watching = impl_->queue.watch([weak = std::weak_ptr(impl_)] {
    const auto self = weak.lock();
    if (!self || self->posted.exchange(true)) return;
    self->thread->post([weak] {
      if (const auto here = weak.lock()) {
        here->posted = false;
        here->changed.set();
      }
    });
  });
  ++impl_->active;
  auto look = [](std::shared_ptr<impl> self) -> base::task<void> {
    co_await self->loop();
    --self->active;
  };
  // Not counted as active: after stop() its last sleep has nothing to do, and nobody should wait for that.
  auto keep_ticking = [](std::shared_ptr<impl> self) -> base::task<void> { co_await self->ticker(); };
  base::spawn(thread, look(impl_));
  base::spawn(thread, keep_ticking(impl_));
}

void queue_runner::stop() {
  if (impl_->stopping.exchange(true) || !impl_->thread) return;
  impl_->watching = {};
  impl_->thread->post([weak = std::weak_ptr(impl_)] {
    const auto self = weak.lock();
    if (!self) return;
    self->close_idle(true);
    self->changed.set();
  });
}

void queue_runner::wake() {
  if (!impl_->thread) return;
  impl_->thread->post([weak = std::weak_ptr(impl_)] {
    const auto self = weak.lock();
    if (!self) return;
    self->silent.clear();
    self->changed.set();
  });
}

bool queue_runner::is_idle() const noexcept { return impl_->active == 0; }

base::task<void> queue_runner::impl::ticker() {
  last_tick = now();
  while (!stopping) {
    const auto slept = co_await net::sleep_for(tick);
    if (!slept || stopping) break;
    close_idle(false);
    if (now() + clock_tolerance < last_tick) {
      clock_went_back = true;
      changed.set();
    }
    last_tick = now();
    if (next_look != 0 && next_look <= now()) changed.set();
  }
  close_idle(true);
}

base::task<void> queue_runner::impl::loop() {
  while (!stopping) {
    if (std::exchange(clock_went_back, false)) {
      ++active;
      auto bring_back = [](std::shared_ptr<impl> self) -> base::task<void> {
        co_await self->bring_times_back();
        --self->active;
      };
      base::spawn(*thread, bring_back(shared_from_this()));
    }
    const std::size_t free = places();
    if (free != 0) co_await look_for_work(free);
    if (!stopping) co_await changed.wait();
  }
}

// For a server that is slow on purpose a message may be under way for hours; some of them must not stop all others.
std::size_t queue_runner::impl::places() const {
  const std::size_t most = options.connections * slow_at_most;
  if (busy.size() >= most) return 0;
  const auto limit = time.steady() - slow_from;
  const auto counted = std::ranges::count_if(busy, [&](const auto& one) { return one.second > limit; });
  const auto taken = static_cast<std::size_t>(counted);
  return options.connections > taken ? std::min(options.connections - taken, most - busy.size()) : 0;
}

base::task<void> queue_runner::impl::look_for_work(std::size_t room) {
  // Items under way are still due: asked for so many more, the answer holds enough others.
  auto due = co_await queue.due(now(), busy.size() + room);
  if (!due) {
    options.log->log(log_level::error, "queue.unreadable", {{"reason", due.error().message()}});
    next_look = now() + after_error;
    co_return;
  }
  std::size_t begun = 0;
  for (auto& item : *due) {
    if (stopping || begun == room || !busy.emplace(item.id, time.steady()).second) continue;
    ++begun;
    ++active;
    auto run = [](std::shared_ptr<impl> self, store::queue_item one) -> base::task<void> {
      const std::string id = one.id;
      co_await self->process(std::move(one));
      self->busy.erase(id);
      self->changed.set();
      --self->active;
    };
    base::spawn(*thread, run(shared_from_this(), std::move(item)));
  }
  const auto next = co_await queue.next_due();
  next_look = next ? *next : now() + after_error;
  // What is due and under way must not keep the ticker ringing.
  if (next_look != 0 && next_look <= now()) next_look = now() + tick.count();
}

// No wait of ours is longer than retry_most: what is due later was written under another time. Beside the work, which
// may take an item meanwhile: nothing but its time is changed.
base::task<void> queue_runner::impl::bring_times_back() {
  const auto latest = now() + options.retry_most.count() + clock_tolerance;
  std::string after;
  for (;;) {
    const auto some = co_await queue.list(after, listed_at_once);
    if (!some || some->empty()) co_return;  // look_for_work tells of a queue that cannot be read
    for (const auto& item : *some) {
      if (stopping) co_return;
      if (!item.held.empty() || item.next_attempt <= latest || busy.contains(item.id)) continue;
      (void)co_await queue.reschedule(item.id, now());
    }
    after = some->back().id;
  }
}

void queue_runner::impl::retire(std::unique_ptr<outbound_connection> connection) {
  ++active;
  auto say_quit = [](std::shared_ptr<impl> self, std::unique_ptr<outbound_connection> one) -> base::task<void> {
    co_await one->quit();
    one.reset();
    --self->active;
  };
  base::spawn_here(*thread, say_quit(shared_from_this(), std::move(connection)));
}

void queue_runner::impl::close_idle(bool all) {
  const auto limit = std::chrono::steady_clock::now() - options.keep_connection;
  for (auto it = idle.begin(); it != idle.end();) {
    if (!all && it->second->last_used > limit) {
      ++it;
      continue;
    }
    auto connection = std::move(it->second);
    it = idle.erase(it);
    retire(std::move(connection));
  }
}

}  // namespace briefwerk::delivery

#pragma once

// A bounded line in front of something costly: so many at once, so many that wait, so many of those of one network.
// Who is next goes by standing and network (net/turn_line.hpp); where the line is full, who has the least claim has to
// go for one that has more.

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/net/turn_line.hpp"

namespace briefwerk::server::guard {

// Thread-safe. Must outlive its places.
class check_line {
 public:
  struct bounds {
    std::size_t at_once, waiting, waiting_per_network;
  };
  explicit check_line(bounds how) : bounds_(how) {}

  // Held while the work is done.
  class place {
   public:
    explicit place(check_line* line) noexcept : line_(line) {}
    place(place&& other) noexcept : line_(std::exchange(other.line_, nullptr)) {}
    place& operator=(place&&) = delete;
    ~place() {
      if (line_ != nullptr) line_->leave();
    }

   private:
    check_line* line_;
  };

  // limit_exceeded: the line is full, or became so while this one waited.
  base::task<base::result<place>> enter(base::ip_network from, net::standing of) {
    const base::status may = co_await base::wait_for<base::status>(
        [&](base::completion<base::status> done) { stand(from, of, std::move(done)); });
    if (!may) co_return base::fail(may.error());
    co_return place(this);
  }

 private:
  struct waiter {
    base::ip_network from;
    base::completion<base::status> done;
  };

  void stand(const base::ip_network& from, net::standing of, base::completion<base::status> done) {
    base::status answer;
    std::optional<waiter> displaced;
    {
      std::lock_guard lock(mutex_);
      if (running_ >= bounds_.at_once) {
        std::size_t& of_network = waiting_by_network_[from];
        const bool may_wait = of_network < bounds_.waiting_per_network;
        if (may_wait && waiting_.size() >= bounds_.waiting) displaced = waiting_.displace(of, from.address);
        answer = base::fail(base::errc::limit_exceeded);
        if (may_wait && waiting_.size() < bounds_.waiting) {
          ++of_network;
          waiting_.put(of, from.address, {from, std::move(done)});
          if (!displaced) return;
          forget(displaced->from);
        } else if (of_network == 0) {
          waiting_by_network_.erase(from);
        }
      } else {
        ++running_;
      }
    }
    (displaced ? displaced->done : done)(std::move(answer));
  }

  void forget(const base::ip_network& waited) {
    const auto at = waiting_by_network_.find(waited);
    if (--at->second == 0) waiting_by_network_.erase(at);
  }

  void leave() {
    std::unique_lock lock(mutex_);
    if (waiting_.empty()) {
      --running_;
      return;
    }
    waiter next = waiting_.take();
    forget(next.from);
    lock.unlock();
    next.done(base::status());
  }

  const bounds bounds_;
  std::mutex mutex_;
  std::size_t running_ = 0;
  net::turn_line<waiter> waiting_;
  std::map<base::ip_network, std::size_t> waiting_by_network_;
};

}  // namespace briefwerk::server::guard

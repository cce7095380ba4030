#pragma once

// A bounded line in front of something costly: so many at once, so many that wait, so many of those of one network.

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/task.hpp"

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

  // limit_exceeded: the line is full.
  base::task<base::result<place>> enter(base::ip_network from) {
    const base::status may = co_await base::wait_for<base::status>(
        [&](base::completion<base::status> done) { stand(from, std::move(done)); });
    if (!may) co_return base::fail(may.error());
    co_return place(this);
  }

 private:
  struct waiter {
    base::ip_network from;
    base::completion<base::status> done;
  };

  void stand(const base::ip_network& from, base::completion<base::status> done) {
    base::status answer;
    {
      std::lock_guard lock(mutex_);
      if (running_ >= bounds_.at_once) {
        std::size_t& of_network = waiting_by_network_[from];
        if (waiting_.size() < bounds_.waiting && of_network < bounds_.waiting_per_network) {
          ++of_network;
          waiting_.push_back({from, std::move(done)});
          return;
        }
        if (of_network == 0) waiting_by_network_.erase(from);
        answer = base::fail(base::errc::limit_exceeded);
      } else {
        ++running_;
      }
    }
    done(std::move(answer));
  }

  void leave() {
    std::unique_lock lock(mutex_);
    if (waiting_.empty()) {
      --running_;
      return;
    }
    waiter next = std::move(waiting_.front());
    waiting_.pop_front();
    const auto at = waiting_by_network_.find(next.from);
    if (--at->second == 0) waiting_by_network_.erase(at);
    lock.unlock();
    next.done(base::status());
  }

  const bounds bounds_;
  std::mutex mutex_;
  std::size_t running_ = 0;
  std::deque<waiter> waiting_;
  std::map<base::ip_network, std::size_t> waiting_by_network_;
};

}  // namespace briefwerk::server::guard

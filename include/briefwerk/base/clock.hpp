#pragma once

// Time as the parts of the library see it. Production uses system_clock(); tests use manual_clock and steer it.

#include <atomic>
#include <chrono>

namespace briefwerk::base {

using wall_time = std::chrono::sys_time<std::chrono::milliseconds>;
using steady_time = std::chrono::steady_clock::time_point;

// Thread-safe.
class clock {
 public:
  virtual ~clock() = default;
  virtual wall_time now() const noexcept = 0;      // what a log or a Date field says
  virtual steady_time steady() const noexcept = 0; // for intervals; never goes back
};

// The machine's clock; lives as long as the program.
const clock& system_clock() noexcept;

class manual_clock final : public clock {
 public:
  explicit manual_clock(wall_time start) noexcept : now_(start.time_since_epoch().count()) {}
  wall_time now() const noexcept override { return wall_time(std::chrono::milliseconds(now_.load())); }
  steady_time steady() const noexcept override { return steady_time(std::chrono::milliseconds(now_.load())); }
  void advance(std::chrono::milliseconds by) noexcept { now_ += by.count(); }

 private:
  std::atomic<std::int64_t> now_;
};

}  // namespace briefwerk::base

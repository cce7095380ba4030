#pragma once

// Long work in slices, so that the thread's other sessions run in between.

#include <chrono>

#include "briefwerk/base/clock.hpp"
#include "yield.hpp"

namespace briefwerk::server::imap {

class slices {
 public:
  slices(const base::clock& time, base::executor& where) : time_(time), where_(where), begun_(time.steady()) {}
  bool is_over() const noexcept { return time_.steady() - begun_ >= longest; }
  yield next() noexcept {
    begun_ = time_.steady();
    return {where_};
  }

 private:
  static constexpr std::chrono::milliseconds longest{4};
  const base::clock& time_;
  base::executor& where_;
  base::steady_time begun_;
};

}  // namespace briefwerk::server::imap

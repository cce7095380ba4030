#include "briefwerk/base/clock.hpp"

namespace briefwerk::base {
namespace {

class machine_clock final : public clock {
 public:
  wall_time now() const noexcept override {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
  steady_time steady() const noexcept override { return std::chrono::steady_clock::now(); }
};

}  // namespace

const clock& system_clock() noexcept {
  static const machine_clock instance;
  return instance;
}

}  // namespace briefwerk::base

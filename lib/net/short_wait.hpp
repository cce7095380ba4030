#pragma once

// How a loop waits. Whoever talks to a client that answers at once waits a few ten microseconds again and again, and to fall
// asleep and be woken up costs as long: a processor with nothing to do halts, and on a virtual machine it is its host that
// has to bring it back. So a loop whose last waits were short looks for work for a moment before it sleeps; it lets every
// other thread have the processor meanwhile, and sleeps at once when one takes it. One wait that was long ends this: a loop
// with nothing to do burns nothing.

#include <chrono>

namespace briefwerk::net {

// Belongs to the loop's thread.
class short_wait {
 public:
  using duration = std::chrono::nanoseconds;
  static constexpr duration looked_for = std::chrono::microseconds(60);  // at most, for work, before it sleeps
  static constexpr duration is_short = std::chrono::microseconds(120);   // of a wait asleep: half of it to wake up
  static constexpr duration is_taken = std::chrono::microseconds(5);     // a look that lasts longer: another thread ran
  static constexpr int enough = 8;                                       // short waits in a row, before

  // Whether the wait that begins now is to begin with looking.
  bool begins_looking() const noexcept { return in_a_row_ >= enough; }
  // Whether to look once more, `since` the wait's beginning, when the last look took `look`.
  bool goes_on(duration since, duration look) const noexcept { return since < looked_for && look < is_taken; }
  // Work came after so long a wait.
  void ended(duration took) noexcept {
    if (took >= is_short)
      in_a_row_ = 0;
    else if (in_a_row_ < enough)
      ++in_a_row_;
  }

 private:
  int in_a_row_ = 0;
};

}  // namespace briefwerk::net

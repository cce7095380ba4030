#pragma once

// When a transaction is committed on the thread that asks for it. The way to the commit thread and back is two
// wake-ups, half as long as a sync on a fast disk, and worth it only for what a group shares: a thread that commits
// for itself serves none of its other sessions meanwhile, so what they would write cannot join. Hence only while
// transactions come one by one and commits are short, and now and then the commit thread takes one all the same:
// those who had to wait behind the asking thread show themselves then.

#include <chrono>
#include <cstddef>

namespace briefwerk::store {

// Guarded by the committer's lock.
class lone_writer {
 public:
  static constexpr int enough = 16;  // groups of one in a row, before
  static constexpr int probe = 32;   // each so manieth goes to the commit thread

  // Commits that take longer stop it. Zero: it never begins.
  explicit lone_writer(std::chrono::nanoseconds longest) noexcept : longest_(longest) {}

  // Of a transaction that comes while nothing is pending: whether the asking thread is to commit it.
  bool takes_next() noexcept { return in_a_row_ >= enough && ++taken_ % probe != 0; }

  // A group was written, wherever; `met`: other transactions came before it was done.
  void written(std::size_t transactions, std::chrono::nanoseconds took, bool met) noexcept {
    if (transactions != 1 || met || took >= longest_)
      in_a_row_ = 0;
    else if (in_a_row_ < enough)
      ++in_a_row_;
  }

 private:
  const std::chrono::nanoseconds longest_;
  int in_a_row_ = 0;
  unsigned taken_ = 0;
};

}  // namespace briefwerk::store

#pragma once

// When the indexer stands aside. What it does takes a processor and the disk from those who write mail at that moment, and
// they wait for it while nobody waits for the index: what it lacks is scanned. So it rests while many commits come, in
// pieces, and never for so long that it would not get anywhere: after the longest rest it works for a while whatever comes,
// and what is due at its latest rests no more.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace briefwerk::search {

// Guarded by its owner. The times that it is given never go back.
class right_of_way {
 public:
  using time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds watched{500};        // commits of so long are counted …
  static constexpr std::uint32_t many = 25;                       // … and so many of them are many
  static constexpr std::chrono::milliseconds longest_rest{10'000};
  static constexpr std::chrono::milliseconds least_work{500};     // between two rests

  void committed(time now) noexcept {
    forget_before(now);
    ++counts_[slot_];
  }

  // Whether the indexer, about to go on, rests a little and asks again. `latest`: when its work must not wait any more.
  bool must_rest(time now, time latest) noexcept {
    forget_before(now);
    const bool busy = is_busy();
    if (!busy || now >= latest) {
      resting_ = false;
      return false;
    }
    if (!resting_ && now < works_until_) return false;
    if (!resting_) rests_since_ = now;
    resting_ = now - rests_since_ < longest_rest;
    if (!resting_) works_until_ = now + least_work;
    return resting_;
  }

 private:
  static constexpr std::size_t slots = 5;
  static constexpr std::chrono::milliseconds slot_length = watched / slots;

  bool is_busy() const noexcept {
    std::uint32_t sum = 0;
    for (const auto count : counts_) sum += count;
    return sum >= many;
  }
  void forget_before(time now) noexcept {
    const auto passed = (now - slot_began_) / slot_length;
    if (passed <= 0) return;
    for (auto i = std::min<std::int64_t>(passed, slots); i > 0; --i) {
      slot_ = (slot_ + 1) % slots;
      counts_[slot_] = 0;
    }
    slot_began_ += passed * slot_length;
  }

  std::array<std::uint32_t, slots> counts_{};
  std::size_t slot_ = 0;
  time slot_began_, rests_since_, works_until_;
  bool resting_ = false;
};

}  // namespace briefwerk::search

#pragma once

// When the indexer stands aside. What it does takes a processor, caches and the disk from those who work with mail at that
// moment, and they wait for it while nobody waits for the index: what it lacks is scanned. So it rests while many commits
// come or the server is at work otherwise, in pieces, and never for so long that it would not get anywhere: after the longest
// rest it works for a while whatever comes, and what is due at its latest rests no more.

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
  static constexpr std::chrono::milliseconds watched{500};        // what happened in so long counts
  static constexpr std::uint32_t many = 25;                       // commits in that time
  static constexpr unsigned busy_part = 8;                        // or such a part of all processors' time: an eighth
  static constexpr std::chrono::milliseconds longest_rest{10'000};
  static constexpr std::chrono::milliseconds least_work{500};     // between two rests

  // `processors`: how many there are to share.
  explicit right_of_way(unsigned processors) noexcept : busy_time_(watched * std::max(processors, 1u) / busy_part) {}

  void committed(time now) noexcept {
    forget_before(now);
    ++slots_[slot_].commits;
  }

  // `total`: processor time of everybody but the indexer, since any beginning. Between two calls it is taken as even.
  void others_used(time now, std::chrono::nanoseconds total) noexcept {
    forget_before(now);
    const auto used = std::max(total - others_total_, std::chrono::nanoseconds(0));
    const auto passed = std::chrono::nanoseconds(now - others_told_);
    if (others_told_ != time() && passed.count() > 0)
      slots_[slot_].used += passed <= watched ? used : std::chrono::nanoseconds(static_cast<std::int64_t>(
          static_cast<double>(used.count()) * (std::chrono::duration<double>(watched) / passed)));
    others_told_ = now;
    others_total_ = total;
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
  struct slot {
    std::uint32_t commits = 0;
    std::chrono::nanoseconds used{0};
  };
  static constexpr std::size_t slots = 5;
  static constexpr std::chrono::milliseconds slot_length = watched / slots;

  bool is_busy() const noexcept {
    slot sum;
    for (const auto& one : slots_) {
      sum.commits += one.commits;
      sum.used += one.used;
    }
    return sum.commits >= many || sum.used >= busy_time_;
  }
  void forget_before(time now) noexcept {
    const auto passed = (now - slot_began_) / slot_length;
    if (passed <= 0) return;
    for (auto i = std::min<std::int64_t>(passed, slots); i > 0; --i) {
      slot_ = (slot_ + 1) % slots;
      slots_[slot_] = {};
    }
    slot_began_ += passed * slot_length;
  }

  std::chrono::nanoseconds busy_time_, others_total_{0};
  std::array<slot, slots> slots_{};
  std::size_t slot_ = 0;
  time slot_began_, rests_since_, works_until_, others_told_;
  bool resting_ = false;
};

}  // namespace briefwerk::search

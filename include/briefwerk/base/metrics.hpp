#pragma once

// Counters and latency histograms. A registry belongs to the program that builds it; parts take a reference,
// look their instruments up once and keep the reference (it lives as long as the registry). Updating is
// lock-free from any thread.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace briefwerk::base {

class counter {
 public:
  void add(std::int64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  void subtract(std::int64_t n = 1) noexcept { value_.fetch_sub(n, std::memory_order_relaxed); }
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Log-scaled buckets: four for each power of two of microseconds, so a quantile is right within 19 %.
class histogram {
 public:
  static constexpr std::size_t bucket_count = 160;
  void record(std::chrono::nanoseconds duration) noexcept;
  std::uint64_t count() const noexcept;
  std::chrono::microseconds quantile(double q) const noexcept;  // 0 ≤ q ≤ 1; 0 µs when empty

 private:
  std::array<std::atomic<std::uint32_t>, bucket_count> buckets_{};
};

// Names are dotted and start with the room: "smtp.messages.accepted", "store.commit.latency".
class metrics {
 public:
  counter& get_counter(std::string_view name);
  histogram& get_histogram(std::string_view name);

  struct reading {
    std::string name;
    bool is_histogram = false;
    std::int64_t value = 0;                       // of a counter; the number of recordings of a histogram
    std::chrono::microseconds p50{}, p99{}, max{}; // of a histogram
  };
  std::vector<reading> read() const;              // sorted by name

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<counter>, std::less<>> counters_;
  std::map<std::string, std::unique_ptr<histogram>, std::less<>> histograms_;
};

}  // namespace briefwerk::base

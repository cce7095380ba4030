#include "briefwerk/base/metrics.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace briefwerk::base {
namespace {

// Durations below 4 µs have a bucket each; from there an octave has four buckets of equal width.
std::size_t bucket_of(std::uint64_t microseconds) noexcept {
  if (microseconds < 4) return microseconds;
  const auto octave = static_cast<std::size_t>(std::bit_width(microseconds)) - 1;
  const std::size_t index = (octave - 1) * 4 + ((microseconds >> (octave - 2)) & 3);
  return std::min(index, histogram::bucket_count - 1);
}

std::uint64_t middle_of(std::size_t bucket) noexcept {
  if (bucket < 4) return bucket;
  const std::size_t octave = bucket / 4 + 1;
  const std::uint64_t width = std::uint64_t{1} << (octave - 2);
  return (4 + bucket % 4) * width + width / 2;
}

}  // namespace

void histogram::record(std::chrono::nanoseconds duration) noexcept {
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  buckets_[bucket_of(whole < 0 ? 0 : static_cast<std::uint64_t>(whole))].fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t histogram::count() const noexcept {
  std::uint64_t total = 0;
  for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
  return total;
}

std::chrono::microseconds histogram::quantile(double q) const noexcept {
  // A copy, so that recordings meanwhile cannot move the rank past the end.
  std::array<std::uint32_t, bucket_count> seen;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < bucket_count; ++i) total += seen[i] = buckets_[i].load(std::memory_order_relaxed);
  if (total == 0) return {};
  const auto rank = static_cast<std::uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total)));
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bucket_count; ++i) {
    below += seen[i];
    if (seen[i] != 0 && below >= rank) return std::chrono::microseconds(middle_of(i));
  }
  return {};
}

counter& metrics::get_counter(std::string_view name) {
  std::lock_guard lock(mutex_);
  const auto found = counters_.find(name);
  if (found != counters_.end()) return *found->second;
  return *counters_.emplace(name, std::make_unique<counter>()).first->second;
}

histogram& metrics::get_histogram(std::string_view name) {
  std::lock_guard lock(mutex_);
  const auto found = histograms_.find(name);
  if (found != histograms_.end()) return *found->second;
  return *histograms_.emplace(name, std::make_unique<histogram>()).first->second;
}

std::vector<metrics::reading> metrics::read() const {
  std::vector<reading> out;
  {
    std::lock_guard lock(mutex_);
    out.reserve(counters_.size() + histograms_.size());
    for (const auto& [name, one] : counters_) out.push_back({.name = name, .value = one->value()});
    for (const auto& [name, one] : histograms_)
      out.push_back({.name = name,
                     .is_histogram = true,
                     .value = static_cast<std::int64_t>(one->count()),
                     .p50 = one->quantile(0.5),
                     .p99 = one->quantile(0.99),
                     .max = one->quantile(1.0)});
  }
  std::sort(out.begin(), out.end(), [](const reading& a, const reading& b) { return a.name < b.name; });
  return out;
}

}  // namespace briefwerk::base

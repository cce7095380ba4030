#include "message_order.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <utility>

namespace briefwerk::server::imap {
namespace {

struct row {
  std::uint64_t value;
  std::uint32_t place;
};

// Fewer than these are sorted by comparisons.
constexpr std::size_t few_rows = 512;

// Bits that one pass looks at: its counters stay in the processor's cache.
constexpr unsigned digit_bits = 11;
constexpr std::uint64_t digit_mask = (1u << digit_bits) - 1;

// From the lowest digit up, each pass stable. Values are below 2 to the power of `bits`.
void sort_by_digits(std::vector<row>& rows, unsigned bits) {
  std::vector<row> other(rows.size());
  for (unsigned shift = 0; shift < bits; shift += digit_bits) {
    std::array<std::uint32_t, digit_mask + 1> starts{};
    for (const row& one : rows) ++starts[one.value >> shift & digit_mask];
    std::uint32_t before = 0;
    for (auto& start : starts) before += std::exchange(start, before);
    for (const row& one : rows) other[starts[one.value >> shift & digit_mask]++] = one;
    rows.swap(other);
  }
}

}  // namespace

message_order::message_order(std::size_t count) : places_(count) { std::iota(places_.begin(), places_.end(), 0u); }

void message_order::sort_by(std::span<const std::uint64_t> values, bool reverse) {
  if (places_.empty()) return;
  const auto [least, most] = std::ranges::minmax(values);
  std::vector<row> rows(places_.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::uint64_t value = values[places_[i]];
    rows[i] = {reverse ? most - value : value - least, places_[i]};
  }
  if (rows.size() < few_rows)
    std::ranges::stable_sort(rows, {}, &row::value);
  else
    sort_by_digits(rows, static_cast<unsigned>(std::bit_width(most - least)));
  for (std::size_t i = 0; i < rows.size(); ++i) places_[i] = rows[i].place;
}

}  // namespace briefwerk::server::imap

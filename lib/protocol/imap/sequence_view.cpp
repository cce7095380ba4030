#include "briefwerk/protocol/imap/sequence_view.hpp"

namespace briefwerk::protocol::imap::detail {

void sort_ranges(std::vector<index_range>& ranges) {
  const auto before = [](const index_range& a, const index_range& b) { return a.first < b.first; };
  if (!std::ranges::is_sorted(ranges, before)) std::ranges::sort(ranges, before);
  std::size_t kept = 0;
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first <= ranges[kept].last) {
      ranges[kept].last = std::max(ranges[kept].last, ranges[i].last);
    } else {
      ranges[++kept] = ranges[i];
    }
  }
  if (!ranges.empty()) ranges.resize(kept + 1);
}

}  // namespace briefwerk::protocol::imap::detail

#include "briefwerk/mail/uid_set.hpp"

#include <algorithm>

#include "briefwerk/base/limits.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mail {
namespace {

using base::errc;
using base::fail;

// nz-number or, when allowed, "*" as 0. False when neither is there.
bool read_number(std::string_view& text, bool star, std::uint32_t& number) {
  if (star && text.starts_with('*')) {
    text.remove_prefix(1);
    number = 0;
    return true;
  }
  std::uint64_t value = 0;
  std::size_t i = 0;
  for (; i < text.size() && ascii::is_digit(text[i]); ++i) {
    value = value * 10 + static_cast<unsigned>(text[i] - '0');
    if (value > 0xffffffffu || value == 0) return false;  // no zero and no leading zeros
  }
  text.remove_prefix(i);
  number = static_cast<std::uint32_t>(value);
  return i != 0;
}

// RFC 9051 §9: sequence-set = (seq-number / seq-range) ["," sequence-set]
template <class Add>
base::status read_ranges(std::string_view text, bool star, Add add) {
  for (std::size_t count = 0;; ++count) {
    if (count == base::limits::imap_set_ranges) return fail(errc::limit_exceeded);
    uid_range range;
    if (!read_number(text, star, range.first)) return fail(errc::malformed);
    range.last = range.first;
    if (text.starts_with(':')) {
      text.remove_prefix(1);
      if (!read_number(text, star, range.last)) return fail(errc::malformed);
    }
    add(range);
    if (text.empty()) return {};
    if (!text.starts_with(',')) return fail(errc::malformed);
    text.remove_prefix(1);
  }
}

// Sorts and joins what overlaps or touches.
void join(std::vector<uid_range>& ranges) {
  if (ranges.empty()) return;
  std::ranges::sort(ranges, {}, &uid_range::first);
  std::size_t kept = 0;
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (std::uint64_t{ranges[kept].last} + 1 >= ranges[i].first) {
      ranges[kept].last = std::max(ranges[kept].last, ranges[i].last);
    } else {
      ranges[++kept] = ranges[i];
    }
  }
  ranges.resize(kept + 1);
}

}  // namespace

base::result<uid_set> uid_set::parse(std::string_view text) {
  uid_set set;
  auto read = read_ranges(text, false, [&](uid_range range) {
    if (range.first > range.last) std::swap(range.first, range.last);
    set.ranges_.push_back(range);
  });
  if (!read) return fail(read.error());
  join(set.ranges_);
  return set;
}

void uid_set::insert(std::uint32_t first, std::uint32_t last) {
  if (first > last) std::swap(first, last);
  if (last == 0) return;
  first = std::max(first, 1u);
  if (ranges_.empty() || ranges_.back().last < first) {
    if (!ranges_.empty() && ranges_.back().last + 1 == first) {
      ranges_.back().last = last;
    } else {
      ranges_.push_back({first, last});
    }
    return;
  }
  // The ranges that overlap or touch [first, last] become one.
  const auto from = std::ranges::lower_bound(ranges_, first - 1, {}, &uid_range::last);
  auto to = from;
  while (to != ranges_.end() && std::uint64_t{to->first} <= std::uint64_t{last} + 1) {
    first = std::min(first, to->first);
    last = std::max(last, to->last);
    ++to;
  }
  if (from == to) {
    ranges_.insert(from, {first, last});
  } else {
    *from = {first, last};
    ranges_.erase(from + 1, to);
  }
}

void uid_set::insert(const uid_set& other) {
  if (other.empty()) return;
  if (ranges_.empty() || other.ranges_.size() <= 4) {
    for (const auto& range : std::vector<uid_range>(other.ranges_)) insert(range.first, range.last);
    return;
  }
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  join(ranges_);
}

void uid_set::erase(std::uint32_t first, std::uint32_t last) {
  if (first > last) std::swap(first, last);
  auto it = std::ranges::lower_bound(ranges_, first, {}, &uid_range::last);
  if (it != ranges_.end() && it->first < first) {
    if (it->last > last) {  // a hole inside one range
      const uid_range rest{last + 1, it->last};
      it->last = first - 1;
      ranges_.insert(it + 1, rest);
      return;
    }
    it->last = first - 1;
    ++it;
  }
  auto end = it;
  while (end != ranges_.end() && end->last <= last) ++end;
  if (end != ranges_.end() && end->first <= last) end->first = last + 1;
  ranges_.erase(it, end);
}

bool uid_set::contains(std::uint32_t number) const noexcept {
  const auto it = std::ranges::lower_bound(ranges_, number, {}, &uid_range::last);
  return it != ranges_.end() && it->first <= number;
}

std::uint64_t uid_set::size() const noexcept {
  std::uint64_t count = 0;
  for (const auto& range : ranges_) count += std::uint64_t{range.last} - range.first + 1;
  return count;
}

uid_set uid_set::intersection(const uid_set& other) const {
  uid_set both;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    const auto first = std::max(a->first, b->first);
    const auto last = std::min(a->last, b->last);
    if (first <= last) both.ranges_.push_back({first, last});
    if (a->last < b->last) {
      ++a;
    } else {
      ++b;
    }
  }
  return both;
}

void uid_set::append_to(std::string& out) const {
  bool first = true;
  for (const auto& range : ranges_) {
    if (!first) out += ',';
    first = false;
    ascii::append_number(out, range.first);
    if (range.last == range.first) continue;
    out += ':';
    ascii::append_number(out, range.last);
  }
}

std::string uid_set::to_string() const {
  std::string out;
  append_to(out);
  return out;
}

base::result<sequence_set> sequence_set::parse(std::string_view text) {
  sequence_set set;
  auto read = read_ranges(text, true, [&](uid_range range) { set.ranges_.push_back(range); });
  if (!read) return fail(read.error());
  return set;
}

uid_set sequence_set::resolve(std::uint32_t largest) const {
  uid_set set;
  std::vector<uid_range> resolved;
  resolved.reserve(ranges_.size());
  for (auto range : ranges_) {
    const bool star = range.first == 0 || range.last == 0;
    if (star && largest == 0) continue;
    if (range.first == 0) range.first = largest;
    if (range.last == 0) range.last = largest;
    if (range.first > range.last) std::swap(range.first, range.last);
    // "n:*" with n past the largest is the largest alone, not the way back from n: RFC 9051 §9 has "*" always be
    // included, and nothing exists above it.
    if (star) range.last = std::min(range.last, largest);
    resolved.push_back(range);
  }
  std::ranges::sort(resolved, {}, &uid_range::first);
  for (const auto& range : resolved) set.insert(range.first, range.last);
  return set;
}

bool sequence_set::has_star() const noexcept {
  return std::ranges::any_of(ranges_, [](const uid_range& range) { return range.first == 0 || range.last == 0; });
}

}  // namespace briefwerk::mail

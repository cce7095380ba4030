#pragma once

// Sets of UIDs or message sequence numbers: sorted, disjoint, never touching ranges of std::uint32_t, never 0.
// IMAP's sequence-set (RFC 9051 §9) is parsed into a sequence_set first, because "*" has a meaning only once the
// largest number in the mailbox is known.

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"

namespace briefwerk::mail {

// first <= last, both included.
struct uid_range {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  bool operator==(const uid_range&) const = default;
};

class uid_set {
 public:
  uid_set() = default;
  uid_set(std::initializer_list<uid_range> ranges) {
    for (const auto& range : ranges) insert(range.first, range.last);
  }

  // Numbers and ranges without "*" ("1:3,7"), in any order and direction. errc::malformed, or errc::limit_exceeded
  // past limits::imap_set_ranges.
  static base::result<uid_set> parse(std::string_view text);

  // Adding at the end is constant time; elsewhere linear in the number of ranges. 0 is ignored; a range given
  // backwards is turned round.
  void insert(std::uint32_t number) { insert(number, number); }
  void insert(std::uint32_t first, std::uint32_t last);
  void insert(const uid_set& other);
  void erase(std::uint32_t first, std::uint32_t last);
  void clear() noexcept { ranges_.clear(); }

  bool contains(std::uint32_t number) const noexcept;
  bool empty() const noexcept { return ranges_.empty(); }
  std::uint64_t size() const noexcept;  // count of numbers
  std::uint32_t front() const noexcept { return ranges_.empty() ? 0 : ranges_.front().first; }
  std::uint32_t back() const noexcept { return ranges_.empty() ? 0 : ranges_.back().last; }
  std::span<const uid_range> ranges() const noexcept { return ranges_; }

  // Calls `f` with every number, ascending.
  template <class F>
  void for_each(F&& f) const {
    for (const auto& range : ranges_) {
      for (std::uint64_t number = range.first; number <= range.last; ++number) f(static_cast<std::uint32_t>(number));
    }
  }

  // What both sets hold.
  uid_set intersection(const uid_set& other) const;

  // "1:3,7"; nothing for the empty set, which has no form in IMAP.
  void append_to(std::string& out) const;
  std::string to_string() const;

  bool operator==(const uid_set&) const = default;

 private:
  std::vector<uid_range> ranges_;
};

// A sequence-set as it was written: "*" is kept as 0, order and overlaps are kept.
class sequence_set {
 public:
  // errc::malformed, or errc::limit_exceeded past limits::imap_set_ranges. "$" (RFC 5182) is not for this function.
  static base::result<sequence_set> parse(std::string_view text);

  // The numbers meant when `largest` is the largest in the mailbox. In an empty mailbox (0) "*" means nothing.
  // "n:*" with n past the largest means the largest alone (RFC 9051 §9, seq-range). The result is not cut at `largest`.
  uid_set resolve(std::uint32_t largest) const;

  // Whether "*" occurs.
  bool has_star() const noexcept;
  // As written, 0 for "*".
  std::span<const uid_range> ranges() const noexcept { return ranges_; }

 private:
  std::vector<uid_range> ranges_;
};

}  // namespace briefwerk::mail

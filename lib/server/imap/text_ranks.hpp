#pragma once

// Distinct texts with numbers, and their order: who compares many texts that are often the same compares numbers. Pure.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace briefwerk::server::imap {

class text_ranks {
 public:
  std::size_t size() const noexcept { return ends_.size(); }
  // Equal texts have the same number, from 0 on.
  std::uint32_t number_of(std::string_view text);
  std::string_view text(std::uint32_t number) const noexcept {
    const std::size_t begin = number == 0 ? 0 : ends_[number - 1];
    return std::string_view(texts_).substr(begin, ends_[number] - begin);
  }

  // Does a piece of the sorting that new texts make necessary. False: nothing is left to do.
  bool sort_some();
  // When nothing is left to do: ranks compare as the texts do, octet by octet. 0 is the empty text's alone.
  std::uint32_t rank(std::uint32_t number) const noexcept { return ranks_[number]; }

  std::size_t octets() const noexcept;  // of memory

 private:
  // A text by its first eight octets as a number that compares as they do.
  struct row {
    std::uint64_t beginning;
    std::uint32_t number;
  };
  using run = std::vector<row>;

  row row_of(std::uint32_t number) const noexcept;
  bool stands_before(const row& a, const row& b) const noexcept;
  void widen();
  void insert_few();
  run next_run();
  run merged(const run& a, const run& b) const;
  void rank_all();

  std::string texts_;                  // behind each other
  std::vector<std::size_t> ends_;      // of each in texts_
  std::vector<std::uint32_t> hashes_;  // of each
  std::vector<std::uint32_t> slots_;   // a hash table of numbers + 1, a power of two of them, at most half in use

  std::vector<std::uint32_t> order_, ranks_;
  std::size_t taken_ = 0;  // numbers below it are in order_, or in runs_ while it is made anew
  std::deque<run> runs_;
};

}  // namespace briefwerk::server::imap

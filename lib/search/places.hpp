#pragma once

// A set of messages of one mailbox, as bits in the order of its blocks.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "briefwerk/mail/uid_set.hpp"
#include "search/mailbox_record.hpp"

namespace briefwerk::search {

class places {
 public:
  explicit places(std::size_t blocks) : bits_(blocks * (block_size / 64)) {}

  void set(std::size_t at) noexcept { bits_[at / 64] |= std::uint64_t{1} << (at % 64); }
  void add(const places& other) noexcept {
    for (std::size_t i = 0; i < bits_.size(); ++i) bits_[i] |= other.bits_[i];
  }
  void keep(const places& other) noexcept {
    for (std::size_t i = 0; i < bits_.size(); ++i) bits_[i] &= other.bits_[i];
  }
  void remove(const places& other) noexcept {
    for (std::size_t i = 0; i < bits_.size(); ++i) bits_[i] &= ~other.bits_[i];
  }
  std::size_t count() const noexcept {
    std::size_t sum = 0;
    for (const auto word : bits_) sum += static_cast<std::size_t>(std::popcount(word));
    return sum;
  }
  bool contains(std::size_t at) const noexcept { return (bits_[at / 64] >> (at % 64) & 1) != 0; }
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t i = 0; i < bits_.size(); ++i)
      for (auto word = bits_[i]; word != 0; word &= word - 1) f(i * 64 + static_cast<std::size_t>(std::countr_zero(word)));
  }
  mail::uid_set uids(const mailbox_record& of) const {
    mail::uid_set out;
    for (std::size_t i = 0; i < bits_.size(); ++i) {
      const std::uint32_t first = of.blocks[i * 64 / block_size].of_uids * block_size + static_cast<std::uint32_t>(i * 64 % block_size);
      for (auto word = bits_[i]; word != 0; word &= word - 1) out.insert(first + static_cast<std::uint32_t>(std::countr_zero(word)));
    }
    return out;
  }

 private:
  std::vector<std::uint64_t> bits_;
};

}  // namespace briefwerk::search

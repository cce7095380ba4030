#include "briefwerk/protocol/imap/output_chain.hpp"

#include <algorithm>
#include <utility>

namespace briefwerk::protocol::imap {

std::span<const std::string_view> output_chain::pieces() {
  pieces_.clear();
  std::size_t at = 0;
  const auto small_octets = [&](std::size_t end) {
    if (end != at) pieces_.emplace_back(data_.get() + at, end - at);
    at = end;
  };
  for (const auto& each : references_) {
    small_octets(each.at);
    pieces_.push_back(each.octets);
  }
  small_octets(size_);
  return pieces_;
}

void output_chain::grow(std::size_t count) {
  // What is more than a word or two is a page or more.
  constexpr std::size_t smallest = 1024, page = 4096;
  const auto doubled = capacity_ == smallest ? page : 2 * capacity_;
  const auto capacity = std::max({size_ + count, doubled, std::exchange(expected_, 0), smallest});
  if (size_ == 0) data_.reset();
  auto moved = std::make_unique_for_overwrite<char[]>(capacity);
  if (size_ != 0) std::memcpy(moved.get(), data_.get(), size_);
  data_ = std::move(moved);
  capacity_ = capacity;
}

}  // namespace briefwerk::protocol::imap

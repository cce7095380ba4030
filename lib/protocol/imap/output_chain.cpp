#include "briefwerk/protocol/imap/output_chain.hpp"

#include <algorithm>

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
  const auto capacity = std::max({size_ + count, capacity_ * 2, std::size_t{1024}});
  auto moved = std::make_unique_for_overwrite<char[]>(capacity);
  if (size_ != 0) std::memcpy(moved.get(), data_.get(), size_);
  data_ = std::move(moved);
  capacity_ = capacity;
}

}  // namespace briefwerk::protocol::imap

#pragma once

// Numbers in groups of seven bits, the least first, each octet but the last with its highest bit set (LEB128, unsigned);
// texts behind their length. What the store keeps of messages is written so. Pure.

#include <cstdint>
#include <string>
#include <string_view>

namespace briefwerk::base {

inline void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(static_cast<unsigned char>(0x80u | (value & 0x7fu)));
  out += static_cast<char>(value);
}

inline void append_varint_text(std::string& out, std::string_view text) {
  append_varint(out, text.size());
  out += text;
}

// Signed numbers as unsigned ones, so that those near zero are short: 0, -1, 1, -2, …
constexpr std::uint64_t zigzag(std::int64_t value) noexcept {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

// Once something is missing, or does not fit 64 bits, good() is false, nothing is left, and every further value is empty.
// Zeros in front of a number (0x80 0x00) are read as any other. Answers point into the octets.
class varint_reader {
 public:
  explicit varint_reader(std::string_view octets) noexcept : rest_(octets) {}

  bool good() const noexcept { return good_; }
  bool at_end() const noexcept { return rest_.empty(); }
  std::string_view rest() const noexcept { return rest_; }

  std::uint64_t number() noexcept {
    std::uint64_t value = 0;
    std::size_t i = 0;
    for (unsigned shift = 0; shift < 64 && i < rest_.size(); shift += 7) {
      const auto octet = static_cast<unsigned char>(rest_[i++]);
      if (shift == 63 && octet > 1) break;
      value |= std::uint64_t{octet & 0x7fu} << shift;
      if (octet < 0x80) {
        rest_.remove_prefix(i);
        return value;
      }
    }
    give_up();
    return 0;
  }

  std::string_view text() noexcept {
    const std::uint64_t size = number();
    if (size > rest_.size()) {
      give_up();
      return {};
    }
    const auto out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }

  void give_up() noexcept {
    good_ = false;
    rest_ = {};
  }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace briefwerk::base

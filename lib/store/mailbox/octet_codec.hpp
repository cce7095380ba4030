#pragma once

// Values of the store: fixed-width little-endian numbers and length-prefixed texts. Keys: big-endian numbers, so that
// the order of keys is the order of numbers.

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace briefwerk::store {

class octet_writer {
 public:
  octet_writer& u8(std::uint8_t value) { return number(value); }
  octet_writer& u16(std::uint16_t value) { return number(value); }
  octet_writer& u32(std::uint32_t value) { return number(value); }
  octet_writer& u64(std::uint64_t value) { return number(value); }
  octet_writer& i64(std::int64_t value) { return number(static_cast<std::uint64_t>(value)); }
  octet_writer& fixed(std::string_view octets) {
    out_.append(octets);
    return *this;
  }
  octet_writer& text(std::string_view value) {
    u32(static_cast<std::uint32_t>(value.size()));
    return fixed(value);
  }
  std::string take() { return std::move(out_); }
  void reserve(std::size_t octets) { out_.reserve(octets); }

 private:
  template <std::unsigned_integral T>
  octet_writer& number(T value) {
    char octets[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i) octets[i] = static_cast<char>((value >> (8 * i)) & 0xff);
    out_.append(octets, sizeof(T));
    return *this;
  }
  std::string out_;
};

// Reading past the end gives zeros and is remembered: check complete() (or ok()) once at the end.
class octet_reader {
 public:
  explicit octet_reader(std::string_view octets) : rest_(octets) {}
  std::uint8_t u8() { return number<std::uint8_t>(); }
  std::uint16_t u16() { return number<std::uint16_t>(); }
  std::uint32_t u32() { return number<std::uint32_t>(); }
  std::uint64_t u64() { return number<std::uint64_t>(); }
  std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
  std::string_view fixed(std::size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const auto octets = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return octets;
  }
  std::string_view text() { return fixed(u32()); }
  std::size_t left() const noexcept { return rest_.size(); }
  bool ok() const noexcept { return ok_; }
  bool complete() const noexcept { return ok_ && rest_.empty(); }

 private:
  template <std::unsigned_integral T>
  T number() {
    const auto octets = fixed(sizeof(T));
    T value = 0;
    for (std::size_t i = octets.size(); i-- > 0;)
      value = static_cast<T>((std::uint64_t{value} << 8) | static_cast<unsigned char>(octets[i]));
    return value;
  }
  std::string_view rest_;
  bool ok_ = true;
};

template <std::unsigned_integral T>
void append_key_number(std::string& key, T value) {
  for (std::size_t i = sizeof(T); i-- > 0;) key.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

// Takes a number from the front of a key; false when it is too short.
template <std::unsigned_integral T>
bool take_key_number(std::string_view& key, T& value) {
  if (key.size() < sizeof(T)) return false;
  value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>((std::uint64_t{value} << 8) | static_cast<unsigned char>(key[i]));
  key.remove_prefix(sizeof(T));
  return true;
}

}  // namespace briefwerk::store

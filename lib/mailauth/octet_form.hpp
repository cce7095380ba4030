#pragma once

// Values as octets: numbers in groups of seven bits, least first (LEB128); texts behind their length.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace briefwerk::mailauth {

class octet_writer {
 public:
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }
  void text(std::string_view value) {
    number(value.size());
    out_ += value;
  }
  // 0 for nothing, else the enumerator and one.
  template <class Enum>
  void choice(const std::optional<Enum>& value) {
    number(value ? static_cast<std::uint64_t>(*value) + 1 : 0);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Once something is missing or out of range, ok() is false and every further value is empty.
class octet_reader {
 public:
  explicit octet_reader(std::string_view octets) noexcept : rest_(octets) {}

  bool ok() const noexcept { return ok_; }
  bool complete() const noexcept { return ok_ && rest_.empty(); }
  std::string_view rest() const noexcept { return rest_; }

  std::uint64_t number() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto octet = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    return give_up();
  }
  // At most `most`.
  std::uint64_t number(std::uint64_t most) noexcept {
    const auto value = number();
    return value <= most ? value : give_up();
  }
  std::string text() {
    const auto size = number(rest_.size());
    if (!ok_ || size > rest_.size()) return give_up(), std::string();
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return value;
  }
  template <class Enum>
  std::optional<Enum> choice(Enum last) noexcept {
    const auto value = number(static_cast<std::uint64_t>(last) + 1);
    if (!ok_ || value == 0) return std::nullopt;
    return static_cast<Enum>(value - 1);
  }

 private:
  std::uint64_t give_up() noexcept {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace briefwerk::mailauth

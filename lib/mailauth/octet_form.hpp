#pragma once

// Values as octets: numbers and texts of base/varint.hpp, and choices.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "briefwerk/base/varint.hpp"

namespace briefwerk::mailauth {

class octet_writer {
 public:
  void number(std::uint64_t value) { base::append_varint(out_, value); }
  void text(std::string_view value) { base::append_varint_text(out_, value); }
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
  explicit octet_reader(std::string_view octets) noexcept : in_(octets) {}

  bool ok() const noexcept { return in_.good(); }
  bool complete() const noexcept { return in_.good() && in_.at_end(); }
  std::string_view rest() const noexcept { return in_.rest(); }

  std::uint64_t number() noexcept { return in_.number(); }
  // At most `most`.
  std::uint64_t number(std::uint64_t most) noexcept {
    const auto value = in_.number();
    if (value <= most) return value;
    in_.give_up();
    return 0;
  }
  std::string text() { return std::string(in_.text()); }
  template <class Enum>
  std::optional<Enum> choice(Enum last) noexcept {
    const auto value = number(static_cast<std::uint64_t>(last) + 1);
    if (!ok() || value == 0) return std::nullopt;
    return static_cast<Enum>(value - 1);
  }

 private:
  base::varint_reader in_;
};

}  // namespace briefwerk::mailauth

#pragma once

// ASCII classification without locale, and small helpers shared inside the room.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace briefwerk::mail::ascii {

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
constexpr char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c; }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_8bit(char c) noexcept { return (static_cast<unsigned char>(c) & 0x80u) != 0; }
// Space, tab and the line ends of folding.
constexpr bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
constexpr bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
constexpr int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

namespace detail {
constexpr std::array<bool, 256> table(std::string_view special, bool listed, bool high) {
  std::array<bool, 256> out{};
  for (unsigned i = 0x21; i < 0x7f; ++i) {
    const char c = static_cast<char>(i);
    const bool in_list = special.find(c) != std::string_view::npos;
    out[i] = listed ? is_alpha(c) || is_digit(c) || in_list : !in_list;
  }
  for (unsigned i = 0x80; i < 0x100; ++i) out[i] = high;
  return out;
}
inline constexpr auto atext = table("!#$%&'*+-/=?^_`{|}~", true, false);
inline constexpr auto token = table("()<>@,;:\\\"/[]?=", false, true);
}  // namespace detail

// RFC 5322 §3.2.3
constexpr bool is_atext(char c) noexcept { return detail::atext[static_cast<unsigned char>(c)]; }

// RFC 2045 §5.1: any ASCII character except space, controls and tspecials. 8-bit octets are let through, since they
// occur and mean no harm.
constexpr bool is_token(char c) noexcept { return detail::token[static_cast<unsigned char>(c)]; }

inline std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

constexpr bool equals(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

constexpr bool starts_with(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() && equals(text.substr(0, prefix.size()), prefix);
}

constexpr std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

inline void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  std::size_t at = sizeof digits;
  do {
    digits[--at] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  out.append(digits + at, sizeof digits - at);
}

// RFC 5322 §3.2.2: skips white space and nested comments at the front. An open comment runs to the end.
inline void skip_cfws(std::string_view& text) noexcept {
  std::size_t i = 0;
  std::size_t depth = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (depth != 0) {
      if (c == '\\' && i + 1 < text.size()) ++i;
      else if (c == '(') ++depth;
      else if (c == ')') --depth;
    } else if (c == '(') {
      depth = 1;
    } else if (!is_space(c)) {
      break;
    }
  }
  text.remove_prefix(i);
}

}  // namespace briefwerk::mail::ascii

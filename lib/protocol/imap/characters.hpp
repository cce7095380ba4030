#pragma once

// Character classes of RFC 9051 §9 as bits of one table.

#include <array>
#include <cstdint>
#include <string_view>

namespace briefwerk::protocol::imap {

enum character_class : std::uint8_t {
  in_atom = 1,      // ATOM-CHAR
  in_astring = 2,   // ASTRING-CHAR: and "]"
  in_list = 4,      // list-char: and the wildcards
  in_tag = 8,       // ASTRING-CHAR but "+"
  is_digit = 16,
  in_quoted = 32,   // TEXT-CHAR but quoted-specials, and octets of UTF-8
};

constexpr auto make_character_classes() {
  std::array<std::uint8_t, 256> table{};
  for (unsigned c = 1; c < 256; ++c) {
    std::uint8_t bits = 0;
    const auto ch = static_cast<char>(c);
    if (ch != '\r' && ch != '\n' && ch != '"' && ch != '\\') bits |= in_quoted;
    if (c > 0x20 && c < 0x7f && std::string_view("(){%*\"\\]").find(ch) == std::string_view::npos) {
      // "}" is an ATOM-CHAR: RFC 9051 lists only "{" as special.
      bits |= in_atom | in_astring | in_list;
      if (ch != '+') bits |= in_tag;
    }
    if (ch == ']') bits |= in_astring | in_list | in_tag;
    if (ch == '%' || ch == '*') bits |= in_list;
    if (c >= '0' && c <= '9') bits |= is_digit;
    table[c] = bits;
  }
  return table;
}
inline constexpr auto character_classes = make_character_classes();

constexpr bool has_class(char c, std::uint8_t classes) noexcept {
  return (character_classes[static_cast<unsigned char>(c)] & classes) != 0;
}

constexpr char to_upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

// `capitals` holds no small letter.
constexpr bool is_word(std::string_view text, std::string_view capitals) noexcept {
  if (text.size() != capitals.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (to_upper(text[i]) != capitals[i]) return false;
  }
  return true;
}

}  // namespace briefwerk::protocol::imap

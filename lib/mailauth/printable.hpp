#pragma once

// Text from the network for people's eyes and for header fields.

#include <string>

namespace briefwerk::mailauth {

// One line of printable ASCII: everything else becomes \xNN, so that no terminal, log or field is led astray.
inline std::string printable(std::string text) {
  static constexpr char hex[] = "0123456789abcdef";
  std::size_t bad = 0;
  for (const char c : text) bad += (c < 0x20 || c > 0x7e) ? 1 : 0;
  if (bad == 0) return text;
  std::string out;
  out.reserve(text.size() + bad * 3);
  for (const char c : text) {
    if (c >= 0x20 && c <= 0x7e) {
      out += c;
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    out += "\\x";
    out += hex[octet >> 4];
    out += hex[octet & 15];
  }
  return out;
}

}  // namespace briefwerk::mailauth

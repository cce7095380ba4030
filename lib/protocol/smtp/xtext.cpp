#include "briefwerk/protocol/smtp/command.hpp"

namespace briefwerk::protocol::smtp {
namespace {

constexpr std::string_view hex_digits = "0123456789ABCDEF";

// RFC 3461 §4: xchar = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+" and "="
constexpr bool is_xchar(char c) noexcept { return c >= '!' && c <= '~' && c != '+' && c != '='; }

int hex_value(char c) noexcept {
  const std::size_t at = hex_digits.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits. -1: not one.
int hexchar_at(std::string_view text, std::size_t at) noexcept {
  if (text[at] != '+' || text.size() - at < 3) return -1;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace

bool is_xtext(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_xchar(text[i])) continue;
    if (hexchar_at(text, i) < 0) return false;
    i += 2;
  }
  return true;
}

base::result<std::string> decode_xtext(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_xchar(text[i])) {
      out.push_back(text[i]);
      continue;
    }
    const int octet = hexchar_at(text, i);
    if (octet < 0) return base::fail(base::errc::malformed);
    out.push_back(static_cast<char>(octet));
    i += 2;
  }
  return out;
}

void append_xtext(std::string& out, std::string_view octets) {
  for (const char c : octets) {
    if (is_xchar(c)) {
      out.push_back(c);
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    out.push_back('+');
    out.push_back(hex_digits[octet >> 4]);
    out.push_back(hex_digits[octet & 15]);
  }
}

}  // namespace briefwerk::protocol::smtp

#include "protocol/sasl/scram.hpp"

#include <algorithm>

#include "briefwerk/base/encoding.hpp"

namespace briefwerk::protocol::sasl {

std::string_view take_part(std::string_view& rest) noexcept {
  const std::size_t comma = rest.find(',');
  const std::string_view out = rest.substr(0, comma);
  rest.remove_prefix(comma == rest.npos ? rest.size() : comma + 1);
  return out;
}

std::optional<std::string_view> take_attribute(std::string_view& rest, char letter) noexcept {
  std::string_view after = rest;
  const std::string_view part = take_part(after);
  if (part.size() < 3 || part[0] != letter || part[1] != '=' || part.find('\0') != part.npos) return {};
  rest = after;
  return part.substr(2);
}

bool are_extensions(std::string_view rest) noexcept {
  if (rest.ends_with(',')) return false;
  while (!rest.empty()) {
    const char letter = rest[0];
    if (!((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z'))) return false;
    if (!take_attribute(rest, letter)) return false;
  }
  return true;
}

// RFC 5802 §7: printable = %x21-2B / %x2D-7E
bool is_nonce(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != ','; });
}

std::string escape_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == ',')
      out += "=2C";
    else if (c == '=')
      out += "=3D";
    else
      out += c;
  }
  return out;
}

// RFC 5802 §5.1: "=" followed by anything else is an error.
std::optional<std::string> unescape_name(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '=') {
      out += text[i];
      continue;
    }
    const std::string_view code = text.substr(i + 1, 2);
    if (code != "2C" && code != "3D") return {};
    out += code == "2C" ? ',' : '=';
    i += 2;
  }
  return out;
}

std::string exclusive_or(std::string_view a, std::string_view b) {
  std::string out(a);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
  return out;
}

std::string_view scram_name(base::hash_kind hash, bool plus) noexcept {
  if (hash == base::hash_kind::sha1) return plus ? "SCRAM-SHA-1-PLUS" : "SCRAM-SHA-1";
  return plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256";
}

std::string make_nonce(const base::crypto& crypto) { return base::base64_encode(crypto.random_octets(18)); }

}  // namespace briefwerk::protocol::sasl

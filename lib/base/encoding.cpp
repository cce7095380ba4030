#include "briefwerk/base/encoding.hpp"

#include <array>
#include <cstdint>

namespace briefwerk::base {
namespace {

constexpr char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char for_urls[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::uint32_t wrong = 1u << 24;  // above every 24-bit group

// One table for each place in a group of four: the sextet already shifted, so that a group is three ORs and one check.
using decode_tables = std::array<std::array<std::uint32_t, 256>, 4>;
constexpr decode_tables make_decode_tables() {
  decode_tables out{};
  for (auto& table : out) table.fill(wrong);
  for (std::uint32_t value = 0; value < 64; ++value)
    for (unsigned place = 0; place < 4; ++place)
      out[place][static_cast<unsigned char>(standard[value])] = value << (18 - 6 * place);
  return out;
}
constexpr decode_tables decode = make_decode_tables();

// Two characters for each twelve bits.
constexpr auto pairs = [] {
  std::array<std::array<char, 2>, 4096> out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = {standard[i >> 6], standard[i & 63]};
  return out;
}();

std::uint32_t octet(char c) noexcept { return static_cast<unsigned char>(c); }

}  // namespace

std::string base64_encode(std::string_view octets) {
  std::string out((octets.size() + 2) / 3 * 4, '=');
  char* to = out.data();
  std::size_t i = 0;
  for (; i + 3 <= octets.size(); i += 3, to += 4) {
    const std::uint32_t group = octet(octets[i]) << 16 | octet(octets[i + 1]) << 8 | octet(octets[i + 2]);
    const auto& high = pairs[group >> 12];
    const auto& low = pairs[group & 4095];
    to[0] = high[0];
    to[1] = high[1];
    to[2] = low[0];
    to[3] = low[1];
  }
  const std::size_t left = octets.size() - i;
  if (left == 0) return out;
  const std::uint32_t group = octet(octets[i]) << 16 | (left == 2 ? octet(octets[i + 1]) << 8 : 0u);
  to[0] = standard[group >> 18];
  to[1] = standard[(group >> 12) & 63];
  if (left == 2) to[2] = standard[(group >> 6) & 63];
  return out;
}

result<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return fail(errc::malformed);
  if (text.empty()) return std::string();
  std::size_t padding = 0;
  if (text.ends_with('=')) padding = text[text.size() - 2] == '=' ? 2 : 1;

  std::string out(text.size() / 4 * 3 - padding, '\0');
  char* to = out.data();
  std::uint32_t seen = 0;  // collects the mark of wrong characters; looked at once
  const std::size_t whole = text.size() - (padding != 0 ? 4 : 0);
  std::size_t i = 0;
  for (; i < whole; i += 4, to += 3) {
    const std::uint32_t group = decode[0][octet(text[i])] | decode[1][octet(text[i + 1])] |
                                decode[2][octet(text[i + 2])] | decode[3][octet(text[i + 3])];
    seen |= group;
    to[0] = static_cast<char>(group >> 16);
    to[1] = static_cast<char>(group >> 8);
    to[2] = static_cast<char>(group);
  }
  if (padding != 0) {
    std::uint32_t group = decode[0][octet(text[i])] | decode[1][octet(text[i + 1])];
    if (padding == 1) group |= decode[2][octet(text[i + 2])];
    // RFC 4648 §3.5: the bits that no octet takes are zero, else two texts would mean the same octets.
    if ((group & (padding == 1 ? 0xffu : 0xffffu)) != 0) return fail(errc::malformed);
    seen |= group;
    to[0] = static_cast<char>(group >> 16);
    if (padding == 1) to[1] = static_cast<char>(group >> 8);
  }
  if (seen & wrong) return fail(errc::malformed);
  return out;
}

std::string base64url_encode(std::string_view octets) {
  std::string out = base64_encode(octets);
  while (out.ends_with('=')) out.pop_back();
  for (char& c : out) {
    if (c == '+') c = for_urls[62];
    if (c == '/') c = for_urls[63];
  }
  return out;
}

std::string hex_encode(std::string_view octets) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out(octets.size() * 2, '0');
  for (std::size_t i = 0; i < octets.size(); ++i) {
    out[2 * i] = digits[octet(octets[i]) >> 4];
    out[2 * i + 1] = digits[octet(octets[i]) & 15];
  }
  return out;
}

result<std::string> hex_decode(std::string_view text) {
  const auto digit = [](char c) noexcept -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  if (text.size() % 2 != 0) return fail(errc::malformed);
  std::string out(text.size() / 2, '\0');
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return fail(errc::malformed);
    out[i] = static_cast<char>(high << 4 | low);
  }
  return out;
}

}  // namespace briefwerk::base

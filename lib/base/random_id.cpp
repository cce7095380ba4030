#include "briefwerk/base/random_id.hpp"

namespace briefwerk::base {

std::string random_id(const crypto& source, std::size_t octets) {
  static constexpr char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  const std::string raw = source.random_octets(octets);
  std::string out;
  out.reserve((octets * 8 + 4) / 5);
  unsigned bits = 0, held = 0;
  for (const char c : raw) {
    held = (held << 8) | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 5; bits -= 5) out += alphabet[(held >> (bits - 5)) & 31];
  }
  if (bits > 0) out += alphabet[(held << (5 - bits)) & 31];
  return out;
}

}  // namespace briefwerk::base

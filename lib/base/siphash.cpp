#include "briefwerk/base/siphash.hpp"

#include <bit>

namespace briefwerk::base {
namespace {

std::uint64_t little_endian(const char* octets, std::size_t count) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(octets[i])) << (8 * i);
  }
  return value;
}

struct state {
  std::uint64_t v0, v1, v2, v3;

  void round() noexcept {
    v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
  }
  void take(std::uint64_t word) noexcept {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  std::uint64_t finish() noexcept {
    for (int i = 0; i < 4; ++i) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

hash128 siphash(const siphash_key& key, std::string_view octets) noexcept {
  state s{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d ^ 0xee, key[0] ^ 0x6c7967656e657261,
          key[1] ^ 0x7465646279746573};
  const char* at = octets.data();
  for (std::size_t left = octets.size(); left >= 8; left -= 8, at += 8) s.take(little_endian(at, 8));
  s.take(little_endian(at, octets.size() % 8) | static_cast<std::uint64_t>(octets.size()) << 56);
  s.v2 ^= 0xee;
  hash128 out;
  out.low = s.finish();
  s.v1 ^= 0xdd;
  out.high = s.finish();
  return out;
}

}  // namespace briefwerk::base

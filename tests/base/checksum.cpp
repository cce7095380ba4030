#include "briefwerk/base/checksum.hpp"

#include <doctest/doctest.h>

using namespace briefwerk::base;

namespace {

// The definition, a bit at a time.
std::uint32_t by_bits(std::string_view octets) {
  std::uint32_t crc = ~0u;
  for (const char c : octets) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0u);
  }
  return ~crc;
}

std::string noise(std::size_t size) {
  std::string out;
  std::uint32_t state = 12345;
  while (out.size() < size) out += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return out;
}

}  // namespace

TEST_CASE("RFC 3720 B.4") {
  std::string up, down;
  for (int i = 0; i < 32; ++i) up += static_cast<char>(i), down += static_cast<char>(31 - i);
  const std::string read_command(
      "\x01\xc0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x14\0\0\0\0\0\x04\0\0\0\0\x14\0\0\0\x18\x28\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0", 48);
  struct row { const char* why; std::string octets; std::uint32_t crc; };
  const row rows[] = {{"32 octets of zeros", std::string(32, '\0'), 0x8a9136aa},
                      {"32 octets of ones", std::string(32, '\xff'), 0x62a8ab43},
                      {"32 incrementing", up, 0x46dd794e},
                      {"32 decrementing", down, 0x113fdb5c},
                      {"an iSCSI read command", read_command, 0xd9963a56},
                      {"the catalogue's check value", "123456789", 0xe3069283},
                      {"nothing", "", 0}};
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(crc32c(r.octets) == r.crc);
    CHECK(crc32c_portable(r.octets) == r.crc);
  }
}

TEST_CASE("every way of computing agrees, at lengths around the block sizes, and continued") {
  const std::string all = noise(40000);
  for (const std::size_t size : {0u, 1u, 7u, 8u, 9u, 63u, 255u, 767u, 768u, 769u, 1535u, 1536u, 4096u, 12287u, 12288u, 12289u,
                                 13055u, 13056u, 24576u, 25344u, 39999u}) {
    // An exactly sized block at an odd offset: alignment must not matter.
    for (const std::size_t skew : {0u, 1u, 5u}) {
      CAPTURE(size);
      const std::vector<char> exact(all.begin() + static_cast<std::ptrdiff_t>(skew),
                                    all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), size + skew)));
      const std::string_view octets(exact.data(), exact.size());
      const std::uint32_t expected = by_bits(octets);
      CHECK(crc32c(octets) == expected);
      CHECK(crc32c_portable(octets) == expected);
      const std::size_t half = octets.size() / 3;
      CHECK(crc32c(octets.substr(half), crc32c(octets.substr(0, half))) == expected);
      CHECK(crc32c_portable(octets.substr(half), crc32c(octets.substr(0, half))) == expected);
    }
  }
}

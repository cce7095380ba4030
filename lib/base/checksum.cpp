#include "briefwerk/base/checksum.hpp"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

namespace briefwerk::base {
namespace {

constexpr std::uint32_t polynomial = 0x82f63b78;  // 0x1edc6f41, bits reversed

// table[n][b]: the checksum register after octet b and n zero octets.
using slice_tables = std::array<std::array<std::uint32_t, 256>, 8>;
constexpr slice_tables slices = [] {
  slice_tables out{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
    out[0][b] = crc;
  }
  for (std::size_t n = 1; n < 8; ++n)
    for (std::size_t b = 0; b < 256; ++b) out[n][b] = (out[n - 1][b] >> 8) ^ out[0][out[n - 1][b] & 0xff];
  return out;
}();

std::uint64_t load64(const char* from) noexcept {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

std::uint32_t with_tables(std::uint32_t crc, const char* at, std::size_t size) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    for (; size >= 8; at += 8, size -= 8) {
      const std::uint64_t word = load64(at) ^ crc;
      crc = 0;
      for (std::size_t i = 0; i < 8; ++i) crc ^= slices[7 - i][(word >> (8 * i)) & 0xff];
    }
  }
  for (; size > 0; ++at, --size) crc = (crc >> 8) ^ slices[0][(crc ^ static_cast<unsigned char>(*at)) & 0xff];
  return crc;
}

#if defined(__x86_64__) || defined(__ARM_FEATURE_CRC32)

// The instruction has a latency of three cycles and starts one each cycle: three streams side by side keep it busy.
// A stream's register is moved over the streams behind it by a linear map over GF(2), tabled by octet.
using shift_table = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr shift_table make_shift(std::size_t octets) {
  // The map of one zero bit, squared until it is the map of `octets` (a power of two) zero octets.
  std::array<std::uint32_t, 32> map{};
  map[0] = polynomial;
  for (std::size_t i = 1; i < 32; ++i) map[i] = 1u << (i - 1);
  const auto apply = [](const std::array<std::uint32_t, 32>& m, std::uint32_t v) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; v != 0; ++i, v >>= 1)
      if ((v & 1) != 0) sum ^= m[i];
    return sum;
  };
  for (std::size_t bits = octets * 8; bits > 1; bits /= 2) {
    std::array<std::uint32_t, 32> squared{};
    for (std::size_t i = 0; i < 32; ++i) squared[i] = apply(map, map[i]);
    map = squared;
  }
  shift_table out{};
  for (std::uint32_t n = 0; n < 4; ++n)
    for (std::uint32_t b = 0; b < 256; ++b) out[n][b] = apply(map, b << (8 * n));
  return out;
}

constexpr std::size_t long_stream = 4096, short_stream = 256;
constexpr shift_table over_long = make_shift(long_stream), over_short = make_shift(short_stream);

std::uint32_t shift(const shift_table& table, std::uint32_t crc) noexcept {
  return table[0][crc & 0xff] ^ table[1][(crc >> 8) & 0xff] ^ table[2][(crc >> 16) & 0xff] ^ table[3][crc >> 24];
}

#if defined(__x86_64__)
#define BRIEFWERK_CRC_TARGET __attribute__((target("sse4.2")))
BRIEFWERK_CRC_TARGET inline std::uint64_t step8(std::uint64_t crc, std::uint64_t word) noexcept {
  return _mm_crc32_u64(crc, word);
}
BRIEFWERK_CRC_TARGET inline std::uint32_t step1(std::uint32_t crc, unsigned char octet) noexcept {
  return _mm_crc32_u8(crc, octet);
}
#else
#define BRIEFWERK_CRC_TARGET
inline std::uint64_t step8(std::uint64_t crc, std::uint64_t word) noexcept {
  return __crc32cd(static_cast<std::uint32_t>(crc), word);
}
inline std::uint32_t step1(std::uint32_t crc, unsigned char octet) noexcept { return __crc32cb(crc, octet); }
#endif

BRIEFWERK_CRC_TARGET std::uint32_t with_streams(std::uint32_t crc, const char*& at, std::size_t& size,
                                                std::size_t stream, const shift_table& over) noexcept {
  while (size >= 3 * stream) {
    std::uint64_t a = crc, b = 0, c = 0;
    for (const char* end = at + stream; at < end; at += 8) {
      a = step8(a, load64(at));
      b = step8(b, load64(at + stream));
      c = step8(c, load64(at + 2 * stream));
    }
    crc = shift(over, static_cast<std::uint32_t>(a)) ^ static_cast<std::uint32_t>(b);
    crc = shift(over, crc) ^ static_cast<std::uint32_t>(c);
    at += 2 * stream;
    size -= 3 * stream;
  }
  return crc;
}

BRIEFWERK_CRC_TARGET std::uint32_t with_instruction(std::uint32_t crc, const char* at, std::size_t size) noexcept {
  crc = with_streams(crc, at, size, long_stream, over_long);
  crc = with_streams(crc, at, size, short_stream, over_short);
  std::uint64_t wide = crc;
  for (; size >= 8; at += 8, size -= 8) wide = step8(wide, load64(at));
  crc = static_cast<std::uint32_t>(wide);
  for (; size > 0; ++at, --size) crc = step1(crc, static_cast<unsigned char>(*at));
  return crc;
}

#endif

}  // namespace

std::uint32_t crc32c_portable(std::string_view octets, std::uint32_t so_far) noexcept {
  return ~with_tables(~so_far, octets.data(), octets.size());
}

std::uint32_t crc32c(std::string_view octets, std::uint32_t so_far) noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2") != 0) return ~with_instruction(~so_far, octets.data(), octets.size());
#elif defined(__ARM_FEATURE_CRC32)
  return ~with_instruction(~so_far, octets.data(), octets.size());
#endif
  return crc32c_portable(octets, so_far);
}

}  // namespace briefwerk::base

#include "briefwerk/base/siphash.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace briefwerk;

TEST_CASE("siphash: 128 bits, against another implementation") {
  struct row {
    std::size_t length;  // of 00 01 02 …
    const char* hash;
  };
  const row rows[] = {
      {0, "a3817f04ba25a8e66df67214c7550293"},  {1, "da87c1d86b99af44347659119b22fc45"},
      {7, "a1f1ebbed8dbc153c0b84aa61ff08239"},  {8, "3b62a9ba6258f5610f83e264f31497b4"},
      {15, "5493e99933b0a8117e08ec0f97cfc3d9"},
  };
  const base::siphash_key key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  for (const row& r : rows) {
    CAPTURE(r.length);
    std::string in;
    for (std::size_t i = 0; i < r.length; ++i) in += static_cast<char>(i);
    const base::hash128 got = base::siphash(key, in);
    std::string hex;
    for (int i = 0; i < 16; ++i) {
      const unsigned octet = ((i < 8 ? got.low : got.high) >> (8 * (i % 8))) & 0xff;
      hex += "0123456789abcdef"[octet >> 4];
      hex += "0123456789abcdef"[octet & 15];
    }
    CHECK(hex == r.hash);
  }
}

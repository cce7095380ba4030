#pragma once

// Finds lines that begin with "--" and counts line ends on the way, sixteen octets a step: the inner loop of the MIME
// parser. Compiler vector types, so that it needs no variant for each processor.

#include <cstdint>
#include <cstring>

namespace briefwerk::mail {

using octets16 = unsigned char __attribute__((vector_size(16)));
using words2 = std::uint64_t __attribute__((vector_size(16)));

inline octets16 load16(const char* p) noexcept {
  octets16 v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// The first '-' behind a line end in [p, end) that another '-' follows, or end. `lines` grows by the line ends
// before the place returned.
inline const char* find_dashes(const char* p, const char* end, std::uint32_t& lines) noexcept {
  octets16 counts{};
  unsigned rounds = 0;
  const auto flush = [&] {
    for (int i = 0; i < 16; ++i) lines += counts[i];
    counts = octets16{};
    rounds = 0;
  };
  while (end - p >= 18) {
    const auto line_ends = load16(p) == static_cast<unsigned char>('\n');
    const auto hits = line_ends & (load16(p + 1) == static_cast<unsigned char>('-'));
    words2 any;
    std::memcpy(&any, &hits, sizeof any);
    if ((any[0] | any[1]) != 0) {
      for (int i = 0; i < 16; ++i) {
        if (p[i] != '\n') continue;
        ++lines;
        if (p[i + 1] == '-' && p[i + 2] == '-') {
          flush();
          return p + i + 1;
        }
      }
    } else {
      octets16 ones;
      std::memcpy(&ones, &line_ends, sizeof ones);
      counts -= ones;  // true is all ones, minus one
      if (++rounds == 255) flush();
    }
    p += 16;
  }
  flush();
  for (; p != end; ++p) {
    if (*p != '\n') continue;
    ++lines;
    if (end - p > 2 && p[1] == '-' && p[2] == '-') return p + 1;
  }
  return end;
}

}  // namespace briefwerk::mail

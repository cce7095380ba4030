#pragma once

// Finds the white space that relaxed canonicalization changes, sixty-four octets a step: the inner loop of body
// hashing. Compiler vector types, so that it needs no variant for each processor.

#include <cstdint>
#include <cstring>

namespace briefwerk::mailauth {

using octets16 = unsigned char __attribute__((vector_size(16)));
using words2 = std::uint64_t __attribute__((vector_size(16)));

inline octets16 load16(const char* p) noexcept {
  octets16 v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// All ones where an octet is a TAB, or a space that a space or CR follows.
inline auto changed_blanks(const char* p) noexcept {
  const octets16 here = load16(p), next = load16(p + 1);
  return (here == static_cast<unsigned char>('\t')) |
         ((here == static_cast<unsigned char>(' ')) &
          ((next == static_cast<unsigned char>(' ')) | (next == static_cast<unsigned char>('\r'))));
}

template <class Mask>
bool any(const Mask& mask) noexcept {
  words2 words;
  std::memcpy(&words, &mask, sizeof words);
  return (words[0] | words[1]) != 0;
}

// The first such octet of [p, end), or end. What follows the last octet is taken for neither.
inline const char* find_changed_blank(const char* p, const char* end) noexcept {
  for (; end - p > 64; p += 64) {
    const auto a = changed_blanks(p), b = changed_blanks(p + 16), c = changed_blanks(p + 32),
               d = changed_blanks(p + 48);
    if (any((a | b) | (c | d))) break;
  }
  for (; p != end; ++p) {
    if (*p == '\t') return p;
    if (*p == ' ' && end - p > 1 && (p[1] == ' ' || p[1] == '\r')) return p;
  }
  return end;
}

// True when [p, end) has a CR that no LF follows, or an LF that no CR precedes; `before` stands in front of it. The
// last octet is not looked at when it is a CR.
inline bool has_bare_line_end(char before, const char* p, const char* end) noexcept {
  if (p == end) return false;
  if ((*p == '\n') != (before == '\r')) return true;
  const char* q = p + 1;
  for (; end - q >= 16; q += 16) {
    if (any((load16(q) == static_cast<unsigned char>('\n')) ^ (load16(q - 1) == static_cast<unsigned char>('\r'))))
      return true;
  }
  for (; q != end; ++q)
    if ((*q == '\n') != (q[-1] == '\r')) return true;
  return false;
}

}  // namespace briefwerk::mailauth

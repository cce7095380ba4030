#include "protocol/smtp/line_scan.hpp"

#include <cstdint>
#include <cstring>

namespace briefwerk::protocol::smtp {
namespace {

// The compiler's vector extension: AVX2, SSE2 or NEON from one text.
template <std::size_t Width>
struct vector_of {
  typedef signed char octets __attribute__((vector_size(Width)));
  typedef std::uint64_t words __attribute__((vector_size(Width)));
};

template <bool Nul>
[[gnu::always_inline]] inline bool is_irregular(char current, char previous) noexcept {
  return ((current == '\n') != (previous == '\r')) || (current == '.' && previous == '\n') || (Nul && current == '\0');
}

// Adds to `found` the lanes of one vector that are irregular. The octets before come from a second, overlapping load:
// cheaper than carrying a bit from block to block.
template <bool Nul, std::size_t Width>
[[gnu::always_inline]] inline void examine(const char* at, typename vector_of<Width>::octets& found) noexcept {
  typename vector_of<Width>::octets current;
  typename vector_of<Width>::octets previous;
  std::memcpy(&current, at, Width);
  std::memcpy(&previous, at - 1, Width);
  found |= (current == '\n') ^ (previous == '\r');
  found |= (current == '.') & (previous == '\n');
  if constexpr (Nul) found |= current == 0;
}

template <std::size_t Width>
[[gnu::always_inline]] inline bool any(const typename vector_of<Width>::octets& lanes) noexcept {
  typename vector_of<Width>::words words;
  std::memcpy(&words, &lanes, Width);
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < Width / sizeof(std::uint64_t); ++i) all |= words[i];
  return all != 0;
}

template <bool Nul, std::size_t Width>
[[gnu::always_inline]] inline std::size_t scan(const char* octets, std::size_t size) noexcept {
  std::size_t at = 0;
  for (; at + 4 * Width <= size; at += 4 * Width) {
    typename vector_of<Width>::octets found = {};
    examine<Nul, Width>(octets + at, found);
    examine<Nul, Width>(octets + at + Width, found);
    examine<Nul, Width>(octets + at + 2 * Width, found);
    examine<Nul, Width>(octets + at + 3 * Width, found);
    if (any<Width>(found)) break;
  }
  for (; at + Width <= size; at += Width) {
    typename vector_of<Width>::octets found = {};
    examine<Nul, Width>(octets + at, found);
    if (any<Width>(found)) break;
  }
  while (at < size && !is_irregular<Nul>(octets[at], octets[static_cast<std::ptrdiff_t>(at) - 1])) ++at;
  return at;
}

#if defined(__x86_64__)
template <bool Nul>
[[gnu::target("avx2")]] std::size_t scan_avx2(const char* octets, std::size_t size) noexcept {
  return scan<Nul, 32>(octets, size);
}
#endif

template <bool Nul>
std::size_t dispatch(const char* octets, std::size_t size) noexcept {
#if defined(__x86_64__)
  if (size >= 32 && __builtin_cpu_supports("avx2")) return scan_avx2<Nul>(octets, size);
#endif
  return scan<Nul, 16>(octets, size);
}

}  // namespace

std::size_t find_irregular(const char* octets, std::size_t size) noexcept { return dispatch<false>(octets, size); }
std::size_t find_irregular_or_nul(const char* octets, std::size_t size) noexcept { return dispatch<true>(octets, size); }

}  // namespace briefwerk::protocol::smtp

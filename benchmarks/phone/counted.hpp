#pragma once

// Counts what is allocated while a command is under way: every malloc of all threads but the client's, libraries
// included, by whose it is. Only blocks of that time count when they are freed.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace briefwerk::benchmarks {

enum class owner : std::uint8_t { server, engine, tls };  // Briefwerk; RocksDB; BoringSSL
inline constexpr std::size_t owners = 3;

struct allocations {
  long blocks = 0, octets = 0;
  long peak = 0, peak_without_tls = 0;    // the most that was held at once
  std::array<long, owners> at_peak{};     // whose the first was
};

void find_libraries();                    // once, before anything is counted
void count_without_this_thread() noexcept;
void begin_counting(bool keep_sites) noexcept;
allocations end_counting() noexcept;

struct site {
  long octets = 0, blocks = 0;
  std::vector<std::uintptr_t> frames;     // addresses in this program, innermost first; empty: none is known
  owner whose = owner::server;
};
// What was held without TLS at its peak, by where it was allocated, the most first.
std::vector<site> sites_at_peak();

}  // namespace briefwerk::benchmarks

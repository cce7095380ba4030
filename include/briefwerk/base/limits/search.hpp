#pragma once

// Bounds of the search room; see briefwerk/base/limits.hpp.

#include <cstddef>

namespace briefwerk::base::limits {

inline constexpr std::size_t search_terms = 20000;           // different ones of one field of one message; what is beyond is scanned
inline constexpr std::size_t search_word = 40;               // octets; longer runs of letters are kept as groups of three
inline constexpr std::size_t search_field_name = 100;        // header fields with a longer name are scanned
inline constexpr std::size_t search_expansion = 2000;        // words of the index that one word of a search may stand for
inline constexpr std::size_t search_probes = 64;             // texts of one search that the index is asked for
inline constexpr std::size_t search_probe_runs = 16;         // words of one text that it looks at
inline constexpr std::size_t search_probe_groups = 64;       // groups of one word

}  // namespace briefwerk::base::limits

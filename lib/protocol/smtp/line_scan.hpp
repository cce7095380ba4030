#pragma once

#include <cstddef>

namespace briefwerk::protocol::smtp {

// Offset of the first octet at which a scan of message lines has to look closer, or `size`: an LF that does not follow
// a CR, an octet other than LF after a CR, or a dot after an LF. octets[-1] must be readable. Runs at vector speed.
std::size_t find_irregular(const char* octets, std::size_t size) noexcept;

// The same, and NUL.
std::size_t find_irregular_or_nul(const char* octets, std::size_t size) noexcept;

}  // namespace briefwerk::protocol::smtp

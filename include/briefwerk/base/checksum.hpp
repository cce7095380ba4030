#pragma once

// CRC-32C (Castagnoli; RFC 3720 §12.1, appendix B.4), the checksum of everything the store writes. Runs on the
// processor's own instruction where there is one (x86-64 with SSE 4.2, found at run time; AArch64 with CRC, when
// compiled for it), else on tables. Guards against accidents, not against people.

#include <cstdint>
#include <string_view>

namespace briefwerk::base {

// The checksum of `octets`; with `so_far`, of the octets that gave it followed by these.
std::uint32_t crc32c(std::string_view octets, std::uint32_t so_far = 0) noexcept;

// The same without the processor's help: for tests and comparison.
std::uint32_t crc32c_portable(std::string_view octets, std::uint32_t so_far = 0) noexcept;

}  // namespace briefwerk::base

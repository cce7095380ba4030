#pragma once

// SipHash-2-4 with 128 bits (Aumasson, Bernstein: "SipHash: a fast short-input PRF", and its reference code for 128
// bits): a keyed hash that is quick for short inputs. Who does not know the key can neither aim at a hash table's slot
// nor tell which input stands behind a value.

#include <array>
#include <compare>
#include <cstdint>
#include <string_view>

namespace briefwerk::base {

using siphash_key = std::array<std::uint64_t, 2>;  // octets 0 to 7 and 8 to 15, little-endian

struct hash128 {
  std::uint64_t low = 0, high = 0;  // octets 0 to 7 and 8 to 15, little-endian
  auto operator<=>(const hash128&) const = default;
};

hash128 siphash(const siphash_key& key, std::string_view octets) noexcept;

}  // namespace briefwerk::base

#pragma once

// What a blob_ref of the journal means: segment, offset in units of 8, stored size, checksum; 32 bits each,
// little-endian.

#include <cstdint>

#include "briefwerk/store/blob.hpp"

namespace briefwerk::store {

struct blob_place {
  std::uint32_t segment, unit, size, checksum;
};

inline blob_ref to_blob_ref(const blob_place& p) noexcept {
  blob_ref ref;
  const std::uint32_t words[] = {p.segment, p.unit, p.size, p.checksum};
  for (std::size_t i = 0; i < blob_ref::size; ++i) ref.octets[i] = static_cast<char>(words[i / 4] >> (8 * (i % 4)));
  return ref;
}

inline blob_place from_blob_ref(const blob_ref& ref) noexcept {
  std::uint32_t words[4] = {};
  for (std::size_t i = 0; i < blob_ref::size; ++i)
    words[i / 4] |= std::uint32_t{static_cast<unsigned char>(ref.octets[i])} << (8 * (i % 4));
  return {words[0], words[1], words[2], words[3]};
}

}  // namespace briefwerk::store

#pragma once

#include <cstdint>

namespace briefwerk::net {

// What is known of a peer that connects. Where several wait for their TLS handshakes, those of better standing come
// first.
enum class standing : std::uint8_t {
  good,      // it has shown before who it is
  unknown,   // the usual case
  doubtful,  // it has lately done what attackers do
};

}  // namespace briefwerk::net

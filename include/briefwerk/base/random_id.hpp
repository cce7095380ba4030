#pragma once

// Short unguessable names: session ids, the left side of a Message-ID, file names.

#include <string>

#include "briefwerk/base/crypto.hpp"

namespace briefwerk::base {

// Lower-case base32 (RFC 4648 §6 alphabet, no padding) of `octets` random octets; the default gives 16
// characters that carry 80 bits. Safe in a file name, a DNS label and an RFC 5322 dot-atom.
std::string random_id(const crypto& source, std::size_t octets = 10);

}  // namespace briefwerk::base

#pragma once

// Bounds of the crypto room; see briefwerk/base/limits.hpp.

#include <cstddef>

namespace briefwerk::base::limits {

inline constexpr std::size_t private_key_file = 65536;  // of PEM

}  // namespace briefwerk::base::limits

#pragma once

// Bounds of the room store; see briefwerk/base/limits.hpp.

#include <cstddef>

namespace briefwerk::base::limits {

inline constexpr std::size_t store_mailboxes = 200'000;  // names of one account, and as many subscriptions

}  // namespace briefwerk::base::limits

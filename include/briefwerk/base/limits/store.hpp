#pragma once

// Bounds of the room store; see briefwerk/base/limits.hpp.

#include <cstddef>

namespace briefwerk::base::limits {

inline constexpr std::size_t store_mailboxes = 200'000;  // names of one account, and as many subscriptions
inline constexpr std::size_t store_annotations = 256;      // of one mailbox, or of an account for itself (RFC 5464)
inline constexpr std::size_t store_annotation_value = 65536;
inline constexpr std::size_t store_annotation_name = 1000;

inline constexpr std::size_t store_access_entries = 1000;     // of one mailbox (RFC 4314)

}  // namespace briefwerk::base::limits

#pragma once

// Further bounds of IMAP sessions.

#include <cstddef>

namespace briefwerk::base::limits {

inline constexpr std::size_t imap_recent_mailboxes = 100000;  // whose \Recent messages are known in one process
inline constexpr std::size_t imap_search_contexts = 16;  // results of a session that are kept up to date (RFC 5267)

}  // namespace briefwerk::base::limits

#pragma once

// Further bounds of IMAP sessions.

#include <cstddef>

namespace briefwerk::base::limits {

inline constexpr std::size_t imap_recent_mailboxes = 100000;  // whose \Recent messages are known in one process
inline constexpr std::size_t imap_search_contexts = 16;  // results of a session that are kept up to date (RFC 5267)

inline constexpr std::size_t imap_entries = 256;          // of one GETMETADATA, SETMETADATA or LIST (RFC 5464)
inline constexpr std::size_t imap_entry_name = 1000;      // octets

}  // namespace briefwerk::base::limits

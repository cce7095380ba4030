#pragma once

// Further bounds of IMAP sessions.

#include <cstddef>

namespace briefwerk::base::limits {

inline constexpr std::size_t imap_recent_mailboxes = 100000;  // whose \Recent messages are known in one process
inline constexpr std::size_t imap_search_contexts = 16;  // results of a session that are kept up to date (RFC 5267)

inline constexpr std::size_t imap_notify_groups = 64;       // of one NOTIFY (RFC 5465)
inline constexpr std::size_t imap_notify_mailboxes = 1000;  // names in one of them
inline constexpr std::size_t imap_notify_watched = 20000;   // mailboxes that a session is told of

inline constexpr std::size_t imap_searched_mailboxes = 20000;  // of one ESEARCH (RFC 7377)

inline constexpr std::size_t imap_entries = 256;          // of one GETMETADATA, SETMETADATA or LIST (RFC 5464)
inline constexpr std::size_t imap_entry_name = 1000;      // octets

}  // namespace briefwerk::base::limits

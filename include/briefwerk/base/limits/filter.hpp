#pragma once

// Bounds of the filter room; see briefwerk/base/limits.hpp.

#include <cstddef>

namespace briefwerk::base::limits {

inline constexpr std::size_t link_hosts = 200;               // of one message
inline constexpr std::size_t link_text = 2u << 20;           // decoded text that is searched for them
inline constexpr std::size_t archive_entries = 2000;         // names looked at in one archive
inline constexpr std::size_t archive_depth = 3;              // archives in archives
inline constexpr std::size_t archive_octets = 16u << 20;     // unpacked of one message, in all
inline constexpr std::size_t attachment_octets = 64u << 20;  // decoded of one message, in all
inline constexpr std::size_t spam_text = 256u << 10;         // decoded text that is searched for words, of one message
inline constexpr std::size_t spam_words = 2000;              // of the text of one message
inline constexpr std::size_t spam_tokens = 8000;             // of one message, in all

}  // namespace briefwerk::base::limits

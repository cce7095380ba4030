#pragma once

#include <cstdint>

namespace briefwerk::server::imap {

// Whether a message meets a key of a search, by what is known of it so far.
enum class verdict : std::uint8_t { no, yes, unknown };

}  // namespace briefwerk::server::imap

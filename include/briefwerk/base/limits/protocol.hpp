#pragma once

// Bounds of the protocol room; see briefwerk/base/limits.hpp.

#include <cstddef>

namespace briefwerk::base::limits {

// What a milter may send.
inline constexpr std::size_t milter_packet = 1u << 20;         // octets of one, without its length
inline constexpr std::size_t milter_edits = 2000;              // changes of one message, pieces of its body not counted
inline constexpr std::size_t milter_edit_octets = 2u << 20;    // their names and values in all, without the body
inline constexpr std::size_t milter_header_name = 256;
inline constexpr std::size_t milter_reply_text = 4096;         // of an SMTP reply, all lines
inline constexpr std::size_t milter_symbols = 200;             // macros that it asks for at one event

}  // namespace briefwerk::base::limits

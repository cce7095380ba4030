#pragma once

// Values and comments for the fields that the room writes: whatever they hold, the field stays one field, well formed.

#include <string>
#include <string_view>

namespace briefwerk::mailauth {

// What a field can say: printable ASCII and UTF-8 (RFC 6532), everything else as "?".
std::string sayable(std::string_view text);
// A dot-atom (RFC 5322 §3.2.3, UTF-8 with it) as it is, everything else as quoted-string.
std::string dot_atom_or_quoted(std::string_view value);
// A MIME token (RFC 2045 §5.1) as it is, everything else as quoted-string.
std::string token_or_quoted(std::string_view value);
std::string quoted(std::string_view value);
// "(…)"; parentheses inside are escaped.
std::string comment(std::string_view text);

}  // namespace briefwerk::mailauth

#pragma once

// Rights of a mailbox (RFC 4314 §2.1), as bits. The values are stored: never renumber.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "briefwerk/mail/flags.hpp"

namespace briefwerk::mail {

using right_set = std::uint16_t;

namespace rights {
inline constexpr right_set lookup = 1u << 0;    // l
inline constexpr right_set read = 1u << 1;      // r
inline constexpr right_set seen = 1u << 2;      // s
inline constexpr right_set write = 1u << 3;     // w
inline constexpr right_set insert = 1u << 4;    // i
inline constexpr right_set post = 1u << 5;      // p
inline constexpr right_set create = 1u << 6;    // k
inline constexpr right_set remove = 1u << 7;    // x
inline constexpr right_set mark = 1u << 8;      // t: \Deleted
inline constexpr right_set expunge = 1u << 9;   // e
inline constexpr right_set administer = 1u << 10;  // a
inline constexpr right_set all = (1u << 11) - 1;
}  // namespace rights

// "lrs": any of the letters above, "c" for "kx" and "d" for "te" (§2.1.1). Nothing for another letter.
std::optional<right_set> parse_rights(std::string_view letters) noexcept;

// In the order of §2.1, with "c" and "d" where one of theirs is there (§2.1.1): "lrswipkxtecda".
std::string rights_text(right_set set);

// The flags that these rights let somebody change (§4): \Seen by "s", \Deleted by "t", all others by "w".
flag_set changeable_flags(right_set set) noexcept;

}  // namespace briefwerk::mail

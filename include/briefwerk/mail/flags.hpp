#pragma once

// Message flags as one 64-bit mask, shared by IMAP and the store. Bits 0 to 4 are the system flags (RFC 9051 §2.3.2),
// bits 16 to 63 are the keyword slots of the mailbox the message is in: which keyword a slot means is the mailbox's
// affair, kept once there and not with every message. Bits 6 to 15 stay zero.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "briefwerk/base/limits.hpp"

namespace briefwerk::mail {

using flag_set = std::uint64_t;

namespace flags {
inline constexpr flag_set seen = 1u << 0;
inline constexpr flag_set answered = 1u << 1;
inline constexpr flag_set flagged = 1u << 2;
inline constexpr flag_set deleted = 1u << 3;
inline constexpr flag_set draft = 1u << 4;
inline constexpr flag_set recent = 1u << 5;  // IMAP4rev1 only; a session's knowledge, never stored
inline constexpr flag_set system_mask = seen | answered | flagged | deleted | draft;

inline constexpr unsigned first_keyword_bit = 16;
inline constexpr unsigned keyword_slots = static_cast<unsigned>(base::limits::imap_keywords);
inline constexpr flag_set keyword_mask = ~((flag_set{1} << first_keyword_bit) - 1);
static_assert(first_keyword_bit + keyword_slots == 64);
}  // namespace flags

// The bit of a keyword slot, 0 to flags::keyword_slots - 1.
constexpr flag_set keyword_bit(unsigned slot) noexcept { return flag_set{1} << (flags::first_keyword_bit + slot); }

// Keywords that IANA registers and clients share; a mailbox can give them their slots before anyone asks.
inline constexpr std::string_view common_keywords[] = {"$Forwarded", "$MDNSent",  "$Junk",
                                                       "$NotJunk",   "$Phishing", "$Important"};

// "\Seen" for flags::seen and so on; empty when `bit` is not exactly one system flag or flags::recent.
std::string_view system_flag_name(flag_set bit) noexcept;

// The bit of "\Seen" in any case, flags::recent included. Nothing for other names ("\Foo", keywords).
std::optional<flag_set> system_flag(std::string_view name) noexcept;

// Whether the name can be a keyword: an IMAP atom (RFC 9051 §9 flag-keyword) of at most 255 octets.
bool is_keyword(std::string_view name) noexcept;

// Appends "\Seen $Junk": system flags first, then keywords by slot, single spaces, no parentheses.
// `keywords[slot]` is the name of a slot; bits of slots past its end and empty names are left out.
void append_flags(std::string& out, flag_set set, std::span<const std::string> keywords);

}  // namespace briefwerk::mail

#pragma once

// Words of the report schema that are read; the public header has those that are written.

#include <optional>
#include <string_view>

#include "briefwerk/mailauth/dmarc_report.hpp"

namespace briefwerk::mailauth::dmarc {

// Any case; nothing for a word that nobody knows.
std::optional<action> parse_action(std::string_view word) noexcept;
std::optional<override_type> parse_override(std::string_view word) noexcept;
std::optional<spf_scope> parse_scope(std::string_view word) noexcept;
std::optional<discovery> parse_discovery(std::string_view word) noexcept;
std::optional<alignment> parse_alignment(std::string_view word) noexcept;  // also "relaxed", "strict"
std::optional<bool> parse_yes_no(std::string_view word) noexcept;
// Also the older words of RFC 7489's schema: "hardfail", "unknown" for temperror, "error" for permerror.
std::optional<outcome> parse_result(std::string_view word) noexcept;

}  // namespace briefwerk::mailauth::dmarc

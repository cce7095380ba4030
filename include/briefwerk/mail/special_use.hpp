#pragma once

// Special-use attributes of mailboxes, RFC 6154 §2 and RFC 8457 §4. The values are stored: never renumber.

#include <cstdint>
#include <optional>
#include <string_view>

namespace briefwerk::mail {

enum class special_use : std::uint8_t {
  none = 0,
  all = 1,
  archive = 2,
  drafts = 3,
  flagged = 4,
  junk = 5,
  sent = 6,
  trash = 7,
  important = 8,
};

// "\Sent" and so on; empty for none.
std::string_view special_use_name(special_use use) noexcept;

// From "\Sent" in any case; nothing for an unknown attribute.
std::optional<special_use> parse_special_use(std::string_view name) noexcept;

}  // namespace briefwerk::mail

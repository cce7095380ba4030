#pragma once

// What a check of a message's origin can end with: the result keywords of Authentication-Results (RFC 8601 §2.7),
// shared by all methods. Each method's own header says which of them it gives, and when.

#include <cstdint>
#include <optional>
#include <string_view>

namespace briefwerk::mailauth {

enum class outcome : std::uint8_t {
  none,       // nothing to check: no record, no signature
  pass,
  fail,
  softfail,   // SPF only
  neutral,
  policy,     // good in itself, refused by a rule of this server
  temperror,  // DNS did not answer; another time it may
  permerror,  // the record or signature cannot be read, and will not be another time
};

// "pass", "fail", … as in the header field.
std::string_view to_string(outcome what) noexcept;
// Keywords compare without regard to case; nothing for a word that is none.
std::optional<outcome> parse_outcome(std::string_view word) noexcept;

}  // namespace briefwerk::mailauth

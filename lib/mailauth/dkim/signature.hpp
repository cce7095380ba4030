#pragma once

// What parse_dkim_signature reads, with what the room itself needs besides; and the tags that DKIM and ARC share.

#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>

#include "briefwerk/base/result.hpp"
#include "briefwerk/mailauth/dkim.hpp"
#include "mailauth/dkim/tag_list.hpp"

namespace briefwerk::mailauth {

struct signature_field {
  dkim_signature signature;
  std::size_t begin = 0, end = 0;  // of the value of b= in the field's value
  unsigned instance = 0;           // i= of an ARC field
};

base::result<signature_field> parse_dkim_field(std::string_view value);
// RFC 8617 §4.1.2: the same, without v=, and i= is the instance.
base::result<signature_field> parse_arc_message_field(std::string_view value);

// a=, b=, d=, s= and t=: those of every signature. The first error, or none.
std::error_code read_common_tags(std::span<const tag> tags, signature_field& out);
// i= as the number of an ARC set; 0 when it is none (RFC 8617 §4.2.1).
unsigned parse_instance(std::string_view value) noexcept;

}  // namespace briefwerk::mailauth

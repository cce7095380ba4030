#pragma once

// What APPEND may bring and the base protocol cannot show: NUL (RFC 3516 §4.4, §6).

#include <optional>
#include <string>
#include <string_view>

namespace briefwerk::server::imap {

// The message with the parts of Content-Transfer-Encoding "binary" that hold NUL in base64. Nothing where there are none: all
// else stays as it is, so that signatures hold.
std::optional<std::string> with_encoded_binary(std::string_view message);

}  // namespace briefwerk::server::imap

#pragma once

// Base64 (RFC 4648 §4), its URL form (§5) and hexadecimal, for protocol use: strict, whole input, no line ends.
// (The transfer decodings of messages, which forgive, are in the mail room.)

#include <string>
#include <string_view>

#include "briefwerk/base/result.hpp"

namespace briefwerk::base {

std::string base64_encode(std::string_view octets);
result<std::string> base64_decode(std::string_view text);  // errc::malformed; padding required
std::string base64url_encode(std::string_view octets);     // without padding
std::string hex_encode(std::string_view octets);           // lower case
result<std::string> hex_decode(std::string_view text);

}  // namespace briefwerk::base

#include <algorithm>

#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {

// RFC 4954 §8: auth-command = "AUTH" SP sasl-mech [SP initial-response], sasl-mech of RFC 4422 §3.1: 1*20mech-char.
// Whether the response is base64 is checked where it is decoded.
parsed_command parse_auth(std::string_view arguments) noexcept {
  const auto mechanism_octet = [](char c) {
    return (upper(c) >= 'A' && upper(c) <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  auth_command out;
  out.mechanism = take_word(arguments);
  if (out.mechanism.empty() || out.mechanism.size() > 20 || !std::ranges::all_of(out.mechanism, mechanism_octet))
    return refuse(replies::bad_syntax);
  if (arguments.empty()) return out;
  out.initial_response = take_word(arguments);
  if (!arguments.empty()) return refuse(replies::bad_syntax);
  return out;
}

}  // namespace briefwerk::protocol::smtp

#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]; initial-resp = base64 / "=" (RFC 9051 §9, RFC 4959).
// Whether it is base64 is seen when it is decoded.
base::result<command> parse_authenticate(scanner& in) {
  authenticate_command parsed;
  if (!in.space() || !in.atom(parsed.mechanism)) return in.failure();
  if (!in.at_end()) {
    std::string_view response;
    if (!in.space() || !in.run(response, in_astring)) return in.failure();
    parsed.initial_response = response;
  }
  if (!in.end()) return in.failure();
  return parsed;
}

}  // namespace briefwerk::protocol::imap

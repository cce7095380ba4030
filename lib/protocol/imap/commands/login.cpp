#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// login = "LOGIN" SP userid SP password
base::result<command> parse_login(scanner& in) {
  login_command parsed;
  if (!in.space() || !in.astring(parsed.user) || !in.space() || !in.astring(parsed.password) || !in.end()) return in.failure();
  return parsed;
}

}  // namespace briefwerk::protocol::imap

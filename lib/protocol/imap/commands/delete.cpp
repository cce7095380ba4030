#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// delete = "DELETE" SP mailbox
base::result<command> parse_delete(scanner& in) {
  delete_command parsed;
  if (!in.space() || !in.mailbox(parsed.mailbox) || !in.end()) return in.failure();
  return parsed;
}

}  // namespace briefwerk::protocol::imap

#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
base::result<command> parse_status(scanner& in) {
  status_command parsed;
  if (!in.space() || !in.mailbox(parsed.mailbox) || !in.space() || !in.status_items_list(parsed.items) || !in.end()) {
    return in.failure();
  }
  return parsed;
}

}  // namespace briefwerk::protocol::imap

#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// rename = "RENAME" SP mailbox SP mailbox
base::result<command> parse_rename(scanner& in) {
  rename_command parsed;
  if (!in.space() || !in.mailbox(parsed.from) || !in.space() || !in.mailbox(parsed.to) || !in.end()) return in.failure();
  return parsed;
}

}  // namespace briefwerk::protocol::imap

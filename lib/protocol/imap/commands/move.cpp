#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// move = "MOVE" SP sequence-set SP mailbox (RFC 6851)
base::result<command> parse_move(scanner& in, bool by_uid) {
  move_command parsed{.by_uid = by_uid};
  if (!in.space() || !in.set(parsed.messages) || !in.space() || !in.mailbox(parsed.mailbox) || !in.end()) return in.failure();
  return parsed;
}

}  // namespace briefwerk::protocol::imap

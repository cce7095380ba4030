#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// subscribe = "SUBSCRIBE" SP mailbox; unsubscribe = "UNSUBSCRIBE" SP mailbox
base::result<command> parse_subscribe(scanner& in, bool subscribe) {
  subscribe_command parsed{.subscribe = subscribe};
  if (!in.space() || !in.mailbox(parsed.mailbox) || !in.end()) return in.failure();
  return parsed;
}

}  // namespace briefwerk::protocol::imap

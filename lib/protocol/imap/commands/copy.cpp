#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// copy = "COPY" SP sequence-set SP mailbox
base::result<command> parse_copy(scanner& in, bool by_uid) {
  copy_command parsed{.by_uid = by_uid};
  if (!in.space() || !in.set(parsed.messages) || !in.space() || !in.mailbox(parsed.mailbox) || !in.end()) return in.failure();
  return parsed;
}

}  // namespace briefwerk::protocol::imap

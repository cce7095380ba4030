#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// expunge = "EXPUNGE"; uid-expunge = "UID" SP "EXPUNGE" SP sequence-set (RFC 4315 §2.1)
base::result<command> parse_expunge(scanner& in, bool by_uid) {
  expunge_command parsed;
  if (by_uid) {
    number_set uids;
    if (!in.space() || !in.set(uids)) return in.failure();
    parsed.uids = uids;
  }
  if (!in.end()) return in.failure();
  return parsed;
}

}  // namespace briefwerk::protocol::imap

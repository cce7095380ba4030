#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// getquota = "GETQUOTA" SP quota-root-name (RFC 9208 §7)
base::result<command> parse_get_quota(scanner& in) {
  get_quota_command parsed;
  if (!in.space() || !in.astring(parsed.root) || !in.end()) return in.failure();
  return parsed;
}

// getquotaroot = "GETQUOTAROOT" SP mailbox
base::result<command> parse_get_quota_root(scanner& in) {
  get_quota_root_command parsed;
  if (!in.space() || !in.mailbox(parsed.mailbox) || !in.end()) return in.failure();
  return parsed;
}

// setquota = "SETQUOTA" SP quota-root-name SP setquota-list; setquota-list = "(" [setquota-resource *(SP
// setquota-resource)] ")"
base::result<command> parse_set_quota(scanner& in) {
  set_quota_command parsed;
  if (!in.space() || !in.astring(parsed.root) || !in.space() || !in.expect('(')) return in.failure();
  if (!in.accept(')')) {
    do {
      std::string_view resource;
      std::uint64_t limit = 0;
      if (!in.atom(resource) || !in.space() || !in.number64(limit)) return in.failure();
    } while (in.more());
    if (!in.expect(')')) return in.failure();
  }
  if (!in.end()) return in.failure();
  return parsed;
}

}  // namespace briefwerk::protocol::imap

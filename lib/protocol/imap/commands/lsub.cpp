#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// lsub = "LSUB" SP mailbox SP list-mailbox (RFC 3501 §6.3.9)
base::result<command> parse_lsub(scanner& in) {
  list_command list{.lsub = true};
  std::string_view pattern;
  if (!in.space() || !in.mailbox(list.reference) || !in.space() || !in.list_mailbox(pattern) || !in.end()) return in.failure();
  arena_list<std::string_view> patterns(in.memory());
  patterns.push_back(pattern);
  list.patterns = patterns.view();
  return list;
}

}  // namespace briefwerk::protocol::imap

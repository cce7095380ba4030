#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// cancelupdate = "CANCELUPDATE" 1*(SP quoted) (RFC 5267 §6)
base::result<command> parse_cancel_update(scanner& in) {
  arena_list<std::string_view> tags(in.memory());
  do {
    std::string_view tag;
    if (!in.space() || !in.string(tag)) return in.failure();
    if (tags.size() == 64) return in.failure(errc::too_many);
    tags.push_back(tag);
  } while (!in.at_end());
  return cancel_update_command{tags.view()};
}

}  // namespace briefwerk::protocol::imap

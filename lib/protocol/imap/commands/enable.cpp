#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// enable = "ENABLE" 1*(SP capability)
base::result<command> parse_enable(scanner& in) {
  arena_list<std::string_view> names(in.memory());
  do {
    std::string_view name;
    if (!in.space() || !in.atom(name)) return in.failure();
    if (names.size() == 64) return in.failure(errc::too_many);
    names.push_back(name);
  } while (!in.at_end());
  return enable_command{names.view()};
}

}  // namespace briefwerk::protocol::imap

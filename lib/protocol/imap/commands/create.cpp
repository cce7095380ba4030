#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"] (RFC 6154 §6)
base::result<command> parse_create(scanner& in) {
  create_command parsed;
  if (!in.space() || !in.mailbox(parsed.mailbox)) return in.failure();
  if (in.at_end()) return parsed;
  if (!in.space() || !in.expect('(')) return in.failure();
  if (!in.accept_word("USE")) return in.failure(errc::bad_option);
  if (!in.space() || !in.expect('(')) return in.failure();
  arena_list<mail::special_use> uses(in.memory());
  if (!in.accept(')')) {
    do {
      std::string_view name;
      if (!in.expect('\\') || !in.atom(name)) return in.failure();
      // The backslash stands just before the atom.
      const auto use = mail::parse_special_use({name.data() - 1, name.size() + 1});
      if (!use) parsed.unknown_use = true;
      else if (uses.size() < 16) uses.push_back(*use);
    } while (in.more());
    if (!in.expect(')')) return in.failure();
  }
  if (!in.expect(')') || !in.end()) return in.failure();
  parsed.use = uses.view();
  return parsed;
}

}  // namespace briefwerk::protocol::imap

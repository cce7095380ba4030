#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// id = "ID" SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil); RFC 2971 §3.3 allows 30 fields.
base::result<command> parse_id(scanner& in) {
  arena_list<id_field> fields(in.memory());
  if (!in.space()) return in.failure();
  if (!in.accept_word("NIL")) {
    if (!in.expect('(')) return in.failure();
    if (!in.accept(')')) {
      do {
        std::string_view name;
        std::optional<std::string_view> value;
        if (!in.string(name) || !in.space() || !in.nstring(value)) return in.failure();
        if (fields.size() == 30) return in.failure(errc::too_many);
        fields.push_back({name, value});
      } while (in.more());
      if (!in.expect(')')) return in.failure();
    }
  }
  if (!in.end()) return in.failure();
  return id_command{fields.view()};
}

}  // namespace briefwerk::protocol::imap

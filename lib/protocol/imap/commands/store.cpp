#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// store = "STORE" SP sequence-set [SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"] SP store-att-flags
// store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
base::result<command> parse_store(scanner& in, bool by_uid) {
  store_command parsed{.by_uid = by_uid};
  if (!in.space() || !in.set(parsed.messages) || !in.space()) return in.failure();
  if (in.accept('(')) {  // RFC 7162 §3.1.3
    std::uint64_t modseq = 0;
    if (!in.accept_word("UNCHANGEDSINCE")) return in.failure(errc::bad_option);
    if (!in.space() || !in.number64(modseq) || !in.expect(')') || !in.space()) return in.failure();
    parsed.unchanged_since = modseq;
  }
  if (in.accept('+')) parsed.how = store_how::add;
  else if (in.accept('-')) parsed.how = store_how::remove;
  if (in.accept_word("FLAGS.SILENT")) parsed.silent = true;
  else if (!in.accept_word("FLAGS")) return in.failure();
  if (!in.space()) return in.failure();
  const bool read = in.peek() == '(' ? in.flags(parsed.flags) : in.flags_bare(parsed.flags);
  if (!read || !in.end()) return in.failure();
  return parsed;
}

}  // namespace briefwerk::protocol::imap

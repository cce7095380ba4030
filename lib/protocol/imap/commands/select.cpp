#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

namespace {

// "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP "(" known-sequence-set SP known-uid-set ")"] ")"
// (RFC 7162 §7); the word is read.
bool read_qresync(scanner& in, qresync_parameters& parameters) {
  if (!in.space() || !in.expect('(') || !in.number(parameters.uid_validity, false) || !in.space() ||
      !in.number64(parameters.modseq)) {  // 0 is no mod-sequence, but sent by programs that know none yet
    return false;
  }
  number_set set;
  while (in.more()) {
    if (in.accept('(')) {
      if (!in.set(set, false) || !in.space()) return false;
      parameters.match_sequences = set;
      if (!in.set(set, false)) return false;
      parameters.match_uids = set;
      if (!in.expect(')')) return false;
      break;
    }
    if (parameters.known_uids) return in.refuse(errc::too_many_arguments);
    if (!in.set(set, false)) return false;
    parameters.known_uids = set;
  }
  return in.expect(')');
}

}  // namespace

// select = "SELECT" SP mailbox ["(" select-param *(SP select-param) ")"] (RFC 4466 §2.4)
base::result<command> parse_select(scanner& in, bool read_only) {
  select_command parsed{.read_only = read_only};
  if (!in.space() || !in.mailbox(parsed.mailbox)) return in.failure();
  if (in.at_end()) return parsed;
  if (!in.space() || !in.expect('(')) return in.failure();
  do {
    if (in.accept_word("CONDSTORE")) {
      parsed.condstore = true;
    } else if (!parsed.qresync && in.accept_word("QRESYNC")) {
      if (!read_qresync(in, parsed.qresync.emplace())) return in.failure();
    } else {
      return in.failure(errc::bad_option);
    }
  } while (in.more());
  if (!in.expect(')') || !in.end()) return in.failure();
  return parsed;
}

}  // namespace briefwerk::protocol::imap

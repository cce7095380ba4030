#include "protocol/imap/commands/commands.hpp"
#include "protocol/imap/commands/search_parts.hpp"

namespace briefwerk::protocol::imap {

// thread = "THREAD" SP thread-alg SP search-criteria (RFC 5256 §5)
base::result<command> parse_thread(scanner& in, bool by_uid) {
  thread_command thread;
  thread.by_uid = by_uid;
  std::string_view charset;
  if (!in.space()) return in.failure();
  if (in.accept_word("ORDEREDSUBJECT"))
    thread.algorithm = thread_algorithm::ordered_subject;
  else if (!in.accept_word("REFERENCES"))
    return in.failure(errc::bad_option);
  if (!in.space() || !in.astring(charset) || !in.space() || !read_search_program(in, charset, thread.program) ||
      !in.end()) {
    return in.failure();
  }
  return thread;
}

}  // namespace briefwerk::protocol::imap

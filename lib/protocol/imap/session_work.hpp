#pragma once

// What a command under way needs besides the session's state.

#include <string>
#include <string_view>

#include "briefwerk/protocol/imap/server_session.hpp"

namespace briefwerk::protocol::imap {

struct server_session::work {
  // The command so far. It is a view of the input when it came in one piece, else of `buffer`.
  std::string_view text;
  std::string buffer;
  std::size_t line_octets = 0;       // of `text`, without literals
  std::size_t literal_octets = 0;
  std::size_t line_start = 0;        // of the last line in `text`
  arena memory;

  // Of the APPEND under way: what its arguments say, how far that is done, the literal behind them, and the mailbox.
  append_arguments append;
  std::size_t append_done = 0;
  literal_mark mark;
  std::string mailbox;
  std::string decoded;               // the SASL response shown by auth_question

  // While skipping: the answer that follows, the end of the line read so far, and what was dropped.
  condition how = condition::bad;
  std::string code, reason, tail;
  std::uint64_t dropped = 0;

  bool is_idle() const noexcept { return line_octets == 0 && literal_octets == 0; }
  std::string_view line() const noexcept { return text.substr(line_start); }
  void begin_line() noexcept {
    text = {};
    buffer.clear();
    line_octets = literal_octets = line_start = 0;
  }
};

}  // namespace briefwerk::protocol::imap

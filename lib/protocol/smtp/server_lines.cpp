// Cutting the input into command lines, in bounded memory and without copying lines that arrive whole.

#include <cstring>

#include "briefwerk/protocol/smtp/server_session.hpp"
#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {

// RFC 4954 §4 allows AUTH lines far longer than those of other commands.
std::size_t server_session::line_limit() const noexcept {
  if (phase_ == phase::auth_line) return base::limits::smtp_auth_line;
  char verb[5] = {};
  const std::size_t kept = partial_.copy(verb, sizeof verb);
  input_.copy(verb + kept, sizeof verb - kept);
  return is_keyword(std::string_view(verb, sizeof verb), "AUTH ") ? base::limits::smtp_auth_line
                                                                  : base::limits::smtp_command_line;
}

server_session::line_state server_session::read_line() {
  if (std::exchange(line_in_partial_, false)) {
    partial_.clear();
    if (partial_.capacity() > base::limits::smtp_command_line) partial_.shrink_to_fit();
  }
  if (skipping_line_ && !skip_line()) return line_state::incomplete;
  if (input_.empty()) return line_state::incomplete;

  const std::size_t limit = line_limit();
  const std::size_t lf = input_.find('\n');
  const std::size_t used = lf == std::string_view::npos ? input_.size() : lf + 1;
  if (partial_.size() + used > limit) return drop_long_line(used);
  if (partial_.empty() && lf != std::string_view::npos) {
    const std::string_view line = input_.substr(0, used);
    input_.remove_prefix(used);
    return finish_line(line);
  }
  partial_.append(input_.substr(0, used));
  input_.remove_prefix(used);
  if (lf == std::string_view::npos) return line_state::incomplete;
  line_in_partial_ = true;
  return finish_line(partial_);
}

// RFC 5321 §2.3.8: lines end in CRLF only. A bare LF is refused at once, and what follows up to the real end of the
// line is dropped, so that nothing behind it is taken for a command.
server_session::line_state server_session::finish_line(std::string_view line) noexcept {
  if (!line.ends_with("\r\n")) {
    skipping_line_ = true;
    skipped_cr_ = false;
    return line_state::bare;
  }
  line_ = line.substr(0, line.size() - 2);
  return std::memchr(line_.data(), '\r', line_.size()) == nullptr ? line_state::complete : line_state::bare;
}

server_session::line_state server_session::drop_long_line(std::size_t used) noexcept {
  const std::string_view part = input_.substr(0, used);
  const bool after_cr = part.size() > 1 ? part[part.size() - 2] == '\r' : partial_.ends_with('\r');
  skipping_line_ = !(part.back() == '\n' && after_cr);
  skipped_cr_ = part.back() == '\r';
  input_.remove_prefix(used);
  partial_.clear();
  partial_.shrink_to_fit();
  return line_state::too_long;
}

// Drops up to CRLF. False: it has not come yet.
bool server_session::skip_line() noexcept {
  while (!input_.empty()) {
    const std::size_t lf = input_.find('\n');
    if (lf == std::string_view::npos) {
      skipped_cr_ = input_.back() == '\r';
      input_ = {};
      return false;
    }
    const bool after_cr = lf > 0 ? input_[lf - 1] == '\r' : skipped_cr_;
    input_.remove_prefix(lf + 1);
    skipped_cr_ = false;
    if (after_cr) {
      skipping_line_ = false;
      return true;
    }
  }
  return false;
}

}  // namespace briefwerk::protocol::smtp

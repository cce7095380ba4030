// Lines and literals: from octets to complete commands, in bounded memory.

#include <algorithm>

#include "briefwerk/base/limits.hpp"
#include "protocol/imap/characters.hpp"
#include "protocol/imap/session_work.hpp"

namespace briefwerk::protocol::imap {
namespace {

namespace limits = base::limits;

// Base64 of the longest SASL message, and CRLF.
constexpr std::size_t auth_line = limits::sasl_message / 3 * 4 + 6;
constexpr std::size_t idle_line = 256;
constexpr std::size_t tail_kept = 64;  // longer than any announcement of a literal

}  // namespace

// Reads up to CRLF; `work::text` then is the command so far, without it. Lines end in CRLF only (RFC 9051 §2.2).
server_session::line_end server_session::read_line(std::size_t limit) {
  auto& w = working();
  const auto found = input_.find('\n');
  const auto count = found == input_.npos ? input_.size() : found + 1;
  if (w.line_octets + count > limit) return line_end::too_long;
  w.line_octets += count;
  if (found != input_.npos && w.buffer.empty()) {
    w.text = input_.substr(0, count);
  } else {
    w.buffer.append(input_.substr(0, count));
    w.text = w.buffer;
  }
  input_.remove_prefix(count);
  if (found == input_.npos) return line_end::incomplete;
  if (w.line().size() < 2 || w.line()[w.line().size() - 2] != '\r') return line_end::bare;
  w.text.remove_suffix(2);
  return line_end::complete;
}

// A literal of a command, collected in the buffer. False: octets are missing.
bool server_session::read_literal() {
  if (octets_left_ == 0) return true;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(octets_left_, input_.size()));
  working().buffer.append(input_.substr(0, count));
  input_.remove_prefix(count);
  octets_left_ -= count;
  return octets_left_ == 0;
}

std::optional<step> server_session::read_command() {
  if (!read_literal() || input_.empty()) return wait();
  switch (read_line(limits::imap_command_line)) {
    case line_end::incomplete: return wait();
    case line_end::too_long: refuse_line("Command line too long"); return {};
    case line_end::bare: {
      command_head head;
      static_cast<void>(parse_head(work_->text.substr(0, work_->text.size() - 1), head));
      tag_ = head.tag.empty() ? "*" : head.tag;
      refuse({condition::bad, {}, "Lines end in CRLF"});
      return {};
    }
    case line_end::complete: break;
  }
  if (const auto mark = find_literal(work_->line())) return at_literal(*mark);
  return run_line();
}

// Refuses the command whose line is too long, when its end has been found.
void server_session::refuse_line(std::string_view text) {
  auto& w = working();
  const std::string_view known = w.buffer.empty() ? input_ : std::string_view(w.buffer);
  if (phase_ == phase::commands) {
    command_head head;
    static_cast<void>(parse_head(known.substr(0, 512), head));
    tag_ = head.tag.empty() ? "*" : head.tag;
  }
  std::string tail(std::string_view(w.buffer).substr(std::min(w.line_start, w.buffer.size())));
  if (tail.size() > tail_kept) tail.erase(0, tail.size() - tail_kept);
  ++bad_commands_;
  refuse_after({condition::bad, {}, text}, 0);
  w.tail = std::move(tail);
}

// The rest of the command is read and dropped, `octets` of a literal first; then this is the answer.
void server_session::refuse_after(const refusal& why, std::uint64_t octets) {
  auto& w = working();
  w.how = why.how;
  w.code = why.code;
  w.reason = why.text;
  w.tail.clear();
  w.dropped = 0;
  w.begin_line();
  w.memory.clear();
  octets_left_ = octets;
  phase_ = phase::skipping;
}

void server_session::refuse_literal(const literal_mark& mark, const refusal& why) {
  // RFC 9051 §4.3: the client of a synchronising literal waits and sends nothing after a refusal.
  if (mark.synchronising) return refuse(why);
  // RFC 7888 §4: a literal past all measure is not worth reading.
  if (mark.size > limits::imap_drained_octets) {
    return bye(codes::too_big, "Literal too big", close_reason::literal_too_big);
  }
  if (messages_ != 0) drop_pending_ = true;
  messages_ = 0;
  ++bad_commands_;
  refuse_after(why, mark.size);
}

std::optional<step> server_session::skip() {
  auto& w = working();
  while (!input_.empty()) {
    if (octets_left_ != 0) {
      const auto count = std::min<std::uint64_t>(octets_left_, input_.size());
      input_.remove_prefix(static_cast<std::size_t>(count));
      octets_left_ -= count;
      continue;
    }
    const auto found = input_.find('\n');
    const auto count = found == input_.npos ? input_.size() : found + 1;
    const auto kept = std::min(count, tail_kept);
    w.tail.append(input_.substr(count - kept, kept));
    if (w.tail.size() > tail_kept) w.tail.erase(0, w.tail.size() - tail_kept);
    input_.remove_prefix(count);
    w.dropped += count;
    if (w.dropped > limits::imap_drained_octets) {
      bye(codes::too_big, "Command line too long", close_reason::literal_too_big);
      return {};
    }
    if (found == std::string_view::npos) continue;
    std::string_view line = w.tail;
    line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
    const auto mark = find_literal(line);
    w.tail.clear();
    if (mark && !mark->synchronising) {
      if (mark->size > limits::imap_drained_octets) {
        bye(codes::too_big, "Literal too big", close_reason::literal_too_big);
        return {};
      }
      octets_left_ = mark->size;
      continue;
    }
    tagged(w.how, w.code, w.reason);
    end_command();
    if (bad_commands_ >= options_.bad_commands) {
      bye({}, "Too many bad commands", close_reason::too_many_bad_commands);
    }
    return {};
  }
  return wait();
}

std::optional<step> server_session::read_auth() {
  if (input_.empty()) return wait();
  switch (read_line(auth_line)) {
    case line_end::incomplete: return wait();
    case line_end::too_long:
      cancel_pending_ = true;
      refuse_line("Response too long");
      return {};
    case line_end::bare:
      cancel_pending_ = true;
      refuse({condition::bad, {}, "Lines end in CRLF"});
      return {};
    case line_end::complete: break;
  }
  return ask_auth(false, work_->text);
}

// RFC 2177 §3: IDLE ends with DONE; anything else ends it as well, and is an error.
std::optional<step> server_session::read_idle() {
  if (input_.empty()) return wait();
  switch (read_line(idle_line)) {
    case line_end::incomplete: return wait();
    case line_end::too_long: refuse_line("DONE expected"); return {};
    case line_end::bare: break;
    case line_end::complete:
      if (!is_word(work_->text, "DONE")) break;
      phase_ = phase::commands;
      return put_question(asked::idle_end, idle_end{});
  }
  refuse({condition::bad, {}, "DONE expected"});
  return {};
}

std::optional<step> server_session::read_message() {
  if (octets_left_ == 0) {
    phase_ = phase::message_end;
    return {};
  }
  if (input_.empty()) return wait();
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(octets_left_, input_.size()));
  const auto octets = input_.substr(0, count);
  input_.remove_prefix(count);
  octets_left_ -= count;
  return message_data{octets};
}

// After a message literal: the end of the command, or a further message (RFC 3502).
std::optional<step> server_session::read_message_end() {
  if (!read_literal() || input_.empty()) return wait();
  switch (read_line(limits::imap_command_line)) {
    case line_end::incomplete: return wait();
    case line_end::too_long:
      drop_pending_ = true;
      refuse_line("Command line too long");
      return {};
    case line_end::bare: refuse({condition::bad, {}, "Lines end in CRLF"}); return {};
    case line_end::complete: break;
  }
  const auto mark = find_literal(work_->line());
  const auto text = work_->text.substr(0, mark ? work_->line_start + mark->start : work_->text.npos);
  return read_append(text, mark ? &*mark : nullptr, false);
}

}  // namespace briefwerk::protocol::imap

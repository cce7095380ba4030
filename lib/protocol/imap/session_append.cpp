// APPEND and REPLACE: messages of one literal each, or catenated of several parts.

#include <cassert>

#include "briefwerk/base/limits.hpp"
#include "protocol/imap/session_work.hpp"

namespace briefwerk::protocol::imap {

namespace limits = base::limits;

// The arguments from append_place_ on, up to a literal (`mark`) or the end of the command.
std::optional<step> server_session::read_append(std::string_view text, const literal_mark* mark, bool by_uid) {
  auto& w = working();
  const auto refuse_all = [&](const refusal& why) -> std::optional<step> {
    mark != nullptr ? refuse_literal(*mark, why) : refuse(why);
    return {};
  };
  const auto parsed = parse_append(text, append_place_, by_uid, mark != nullptr, {is_utf8()}, w.memory);
  if (!parsed) {
    const auto reason = parsed.error().message();
    if (parsed.error() == errc::bad_mailbox_name) return refuse_all({condition::no, codes::cannot, reason});
    return refuse_all({condition::bad, {}, reason});
  }
  if (parsed->ends == append_arguments::stop::collect) return collect_literal(*mark);
  if (const auto why = check_append(*parsed, mark)) return refuse_all(*why);
  w.append = *parsed;
  w.append_done = 0;
  if (mark != nullptr) w.mark = *mark;
  phase_ = phase::append_steps;
  return {};
}

std::optional<server_session::refusal> server_session::check_append(const append_arguments& parsed,
                                                                    const literal_mark* mark) const {
  const auto& offered = options_.offered;
  std::size_t messages = messages_;
  bool catenated = append_place_ == append_place::part;
  for (const auto& action : parsed.actions) {
    if (action.what != append_action::kind::begin) continue;
    const auto& piece = action.piece;
    catenated = piece.catenated;
    // literal8 belongs to BINARY and to UTF8=ACCEPT (RFC 6855 §4).
    if (piece.binary && !offered.binary && !offered.utf8_accept)
      return refusal{condition::bad, {}, "literal8 is not offered"};
    if (catenated && !offered.catenate) return refusal{condition::bad, {}, "CATENATE is not offered"};
    const bool alone = !offered.multiappend || replacing_ || piece.replaced;
    if (++messages > 1 && alone) return refusal{condition::bad, {}, "One message at a time"};
    if (messages > limits::imap_append_pieces) return refusal{condition::no, codes::limit, "Too many messages"};
  }
  if (mark == nullptr) return {};
  if (mark->size == 0 && !catenated) return refusal{condition::no, {}, "A message has at least one octet"};
  return check_size(*mark);
}

std::optional<server_session::refusal> server_session::check_size(const literal_mark& mark) const {
  if (mark.size > options_.append_limit) {
    // RFC 7888 §5 asks for BAD where LITERAL- is broken; a message past the limit alone is NO (RFC 7889 §4).
    if (auto why = check_literal(mark, 0, mark.size)) return why;
    return refusal{condition::no, codes::too_big, "Message too big"};
  }
  return check_literal(mark, 0, options_.append_limit);
}

// Asks one after the other; then the literal is streamed, or all is there.
std::optional<step> server_session::next_append_step() {
  auto& w = working();
  if (w.append_done < w.append.actions.size()) {
    append_action action = w.append.actions[w.append_done++];
    if (action.what == append_action::kind::url) return put_question(asked::append_url, append_url{action.url});
    const bool first = messages_ == 0;
    if (first) w.mailbox = action.piece.mailbox;
    if (first) replacing_ = action.piece.replaced.has_value();
    action.piece.mailbox = w.mailbox;
    return put_question(asked::append_begin,
                        append_begin{action.piece, action.piece.catenated ? 0 : w.mark.size, first});
  }
  if (w.append.ends == append_arguments::stop::end) return put_question(asked::append_end, append_end{messages_});
  if (w.mark.synchronising) out_.append("+ Ready for literal data\r\n");
  octets_left_ = w.mark.size;
  append_place_ = w.append.next;
  w.append = {};
  w.begin_line();
  w.memory.clear();
  phase_ = phase::message;
  return {};
}

void server_session::accept_message() {
  assert(asked_ == asked::append_begin);
  asked_ = asked::nothing;
  ++messages_;
}

void server_session::accept_part() {
  assert(asked_ == asked::append_url);
  asked_ = asked::nothing;
}

}  // namespace briefwerk::protocol::imap

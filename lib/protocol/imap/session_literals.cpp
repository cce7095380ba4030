// What to do where a line ends in the announcement of a literal: collect it, stream it, or refuse it.

#include "briefwerk/base/limits.hpp"
#include "protocol/imap/session_work.hpp"

namespace briefwerk::protocol::imap {
namespace {

namespace limits = base::limits;

constexpr std::uint64_t literal_minus = 4096;  // RFC 7888 §5

}  // namespace

// A command that will be refused anyway is refused before its literal comes.
std::optional<step> server_session::at_literal(const literal_mark& mark) {
  auto& w = working();
  command_head head;
  const auto known = parse_head(w.text, head);
  tag_ = head.tag.empty() ? "*" : head.tag;
  if (!known) {
    const auto text = known.error().message();
    refuse_literal(mark, {condition::bad, {}, text});
    return {};
  }
  if (const auto why = check_legal(head)) {
    refuse_literal(mark, *why);
    return {};
  }
  if (head.rule->kind == command_kind::append || head.rule->kind == command_kind::replace) {
    append_place_ = head.rule->kind == command_kind::append ? append_place::mailbox : append_place::replaced;
    const auto end = w.line_start + mark.start;
    return read_append(w.text.substr(head.arguments, end - head.arguments), &mark, head.uid);
  }
  return collect_literal(mark);
}

std::optional<step> server_session::collect_literal(const literal_mark& mark) {
  auto& w = working();
  const auto limit = state_ == session_state::not_authenticated ? limits::imap_literals_before_login
                                                                : limits::imap_literals_total;
  if (const auto why = check_literal(mark, w.literal_octets, limit)) {
    refuse_literal(mark, *why);
    return {};
  }
  if (w.buffer.empty()) {
    w.buffer.reserve(w.text.size() + 2 + static_cast<std::size_t>(mark.size));
    w.buffer.append(w.text).append("\r\n");
  }
  w.literal_octets += static_cast<std::size_t>(mark.size);
  w.line_start = w.buffer.size() + static_cast<std::size_t>(mark.size);
  octets_left_ = mark.size;
  if (mark.synchronising) out_.append("+ Ready for literal data\r\n");
  return {};
}

std::optional<server_session::refusal> server_session::check_literal(const literal_mark& mark, std::uint64_t already,
                                                                     std::uint64_t limit) const {
  if (!mark.synchronising) {
    // IMAP4rev2 has LITERAL- built in (RFC 9051 appendix E).
    const auto rule = options_.offered.literals;
    if (rule == literal_rule::none && !options_.offered.imap4rev2) {
      return refusal{condition::bad, {}, "Non-synchronising literals are not offered"};
    }
    if (rule != literal_rule::plus && mark.size > literal_minus) {
      return refusal{condition::bad, codes::too_big, "A non-synchronising literal has at most 4096 octets"};
    }
  }
  if (mark.size > limit || already > limit - mark.size) return refusal{condition::bad, codes::too_big, "Literal too big"};
  return {};
}

}  // namespace briefwerk::protocol::imap

#include "briefwerk/protocol/imap/parser.hpp"

#include "protocol/imap/commands/commands.hpp"
#include "protocol/imap/scanner.hpp"

namespace briefwerk::protocol::imap {

base::result<command> parse_command(std::string_view line, const command_head& head, const parse_options& options,
                                    arena& memory) {
  if (head.rule == nullptr) return base::fail(errc::unknown_command);
  scanner in(line, head.arguments, options, memory);
  switch (head.rule->kind) {
    case command_kind::append: return base::fail(errc::missing_argument);  // its message is streamed
    case command_kind::authenticate: return parse_authenticate(in);
    case command_kind::capability: return parse_bare<capability_command>(in);
    case command_kind::check: return parse_bare<check_command>(in);
    case command_kind::close: return parse_bare<close_command>(in);
    case command_kind::copy: return parse_copy(in, head.uid);
    case command_kind::create: return parse_create(in);
    case command_kind::delete_: return parse_delete(in);
    case command_kind::enable: return parse_enable(in);
    case command_kind::examine: return parse_select(in, true);
    case command_kind::expunge: return parse_expunge(in, head.uid);
    case command_kind::fetch: return parse_fetch(in, head.uid);
    case command_kind::id: return parse_id(in);
    case command_kind::idle: return parse_bare<idle_command>(in);
    case command_kind::list: return parse_list(in);
    case command_kind::login: return parse_login(in);
    case command_kind::logout: return parse_bare<logout_command>(in);
    case command_kind::lsub: return parse_lsub(in);
    case command_kind::move: return parse_move(in, head.uid);
    case command_kind::namespace_: return parse_bare<namespace_command>(in);
    case command_kind::noop: return parse_bare<noop_command>(in);
    case command_kind::rename: return parse_rename(in);
    case command_kind::search: return parse_search(in, head.uid);
    case command_kind::select: return parse_select(in, false);
    case command_kind::starttls: return parse_bare<starttls_command>(in);
    case command_kind::status: return parse_status(in);
    case command_kind::store: return parse_store(in, head.uid);
    case command_kind::subscribe: return parse_subscribe(in, true);
    case command_kind::unselect: return parse_bare<unselect_command>(in);
    case command_kind::unsubscribe: return parse_subscribe(in, false);
  }
  return base::fail(errc::unknown_command);
}

// append = "APPEND" SP mailbox 1*append-message; append-message = [SP flag-list] [SP date-time] SP append-data
// (RFC 3502 §6.3.11, RFC 4466 §6).
base::result<std::optional<append_piece>> parse_append_piece(std::string_view text, bool first, const parse_options& options,
                                                             arena& memory) {
  scanner in(text, 0, options, memory);
  append_piece piece;
  if (first) {
    if (!in.space()) return in.failure();
    if (in.done()) return std::optional<append_piece>{};
    if (!in.mailbox(piece.mailbox)) return in.failure();
  }
  if (!in.space()) return in.failure();
  if (in.peek() == '(' && (!in.flags(piece.flags) || !in.space())) return in.failure();
  if (in.peek() == '"') {
    std::int64_t seconds = 0;
    if (!in.date_time(seconds) || !in.space()) return in.failure();
    piece.internal_date = seconds;
  }
  piece.binary = in.accept('~');
  if (!in.end()) return in.failure(errc::bad_argument);
  return piece;
}

}  // namespace briefwerk::protocol::imap

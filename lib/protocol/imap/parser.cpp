#include "briefwerk/protocol/imap/parser.hpp"

#include "protocol/imap/commands/commands.hpp"
#include "protocol/imap/scanner.hpp"

namespace briefwerk::protocol::imap {

base::result<command> parse_command(std::string_view line, const command_head& head, const parse_options& options,
                                    arena& memory) {
  if (head.rule == nullptr) return base::fail(errc::unknown_command);
  scanner in(line, head.arguments, options, memory);
  switch (head.rule->kind) {
    case command_kind::append:
    case command_kind::replace: return base::fail(errc::missing_argument);  // their messages are streamed
    case command_kind::authenticate: return parse_authenticate(in);
    case command_kind::cancel_update: return parse_cancel_update(in);
    case command_kind::capability: return parse_bare<capability_command>(in);
    case command_kind::check: return parse_bare<check_command>(in);
    case command_kind::close: return parse_bare<close_command>(in);
    case command_kind::compress: return parse_compress(in);
    case command_kind::copy: return parse_copy(in, head.uid);
    case command_kind::create: return parse_create(in);
    case command_kind::delete_: return parse_delete(in);
    case command_kind::delete_acl: return parse_delete_acl(in);
    case command_kind::enable: return parse_enable(in);
    case command_kind::examine: return parse_select(in, true);
    case command_kind::expunge: return parse_expunge(in, head.uid);
    case command_kind::fetch: return parse_fetch(in, head.uid);
    case command_kind::get_acl: return parse_get_acl(in);
    case command_kind::get_metadata: return parse_get_metadata(in);
    case command_kind::get_quota: return parse_get_quota(in);
    case command_kind::get_quota_root: return parse_get_quota_root(in);
    case command_kind::id: return parse_id(in);
    case command_kind::idle: return parse_bare<idle_command>(in);
    case command_kind::list: return parse_list(in);
    case command_kind::list_rights: return parse_list_rights(in);
    case command_kind::login: return parse_login(in);
    case command_kind::logout: return parse_bare<logout_command>(in);
    case command_kind::lsub: return parse_lsub(in);
    case command_kind::move: return parse_move(in, head.uid);
    case command_kind::multisearch: return parse_multisearch(in);
    case command_kind::my_rights: return parse_my_rights(in);
    case command_kind::namespace_: return parse_bare<namespace_command>(in);
    case command_kind::noop: return parse_bare<noop_command>(in);
    case command_kind::notify: return parse_notify(in);
    case command_kind::rename: return parse_rename(in);
    case command_kind::search: return parse_search(in, head.uid);
    case command_kind::select: return parse_select(in, false);
    case command_kind::set_acl: return parse_set_acl(in);
    case command_kind::set_metadata: return parse_set_metadata(in);
    case command_kind::set_quota: return parse_set_quota(in);
    case command_kind::sort: return parse_sort(in, head.uid);
    case command_kind::starttls: return parse_bare<starttls_command>(in);
    case command_kind::status: return parse_status(in);
    case command_kind::store: return parse_store(in, head.uid);
    case command_kind::subscribe: return parse_subscribe(in, true);
    case command_kind::thread: return parse_thread(in, head.uid);
    case command_kind::unauthenticate: return parse_bare<unauthenticate_command>(in);
    case command_kind::unselect: return parse_bare<unselect_command>(in);
    case command_kind::unsubscribe: return parse_subscribe(in, false);
  }
  return base::fail(errc::unknown_command);
}

}  // namespace briefwerk::protocol::imap

#include "briefwerk/protocol/imap/capability.hpp"

namespace briefwerk::protocol::imap {

std::string capability_list(const server_options& options, capability_state state) {
  const auto& offered = options.offered;
  std::string list;
  const auto add = [&](bool on, std::string_view name) {
    if (!on) return;
    if (!list.empty()) list += ' ';
    list += name;
  };
  add(offered.imap4rev1, "IMAP4rev1");
  add(offered.imap4rev2, "IMAP4rev2");
  add(offered.literals == literal_rule::plus, "LITERAL+");
  add(offered.literals == literal_rule::minus, "LITERAL-");
  add(offered.sasl_ir, "SASL-IR");
  add(offered.enable, "ENABLE");
  add(offered.id, "ID");
  if (!state.authenticated) {
    // RFC 9051 §6.2.1: STARTTLS is offered no more inside TLS; §6.2.3: LOGINDISABLED where LOGIN is refused.
    const bool may_login = state.tls || options.login_without_tls;
    add(options.offer_starttls && !state.tls, "STARTTLS");
    add(!may_login || !options.login_command, "LOGINDISABLED");
    if (may_login) {
      for (const auto& mechanism : options.mechanisms) add(true, "AUTH=" + mechanism);
    }
  }
  add(offered.idle, "IDLE");
  add(offered.name_space, "NAMESPACE");
  add(offered.uidplus, "UIDPLUS");
  add(offered.unselect, "UNSELECT");
  add(offered.children, "CHILDREN");
  add(offered.move, "MOVE");
  add(offered.esearch, "ESEARCH");
  add(offered.searchres, "SEARCHRES");
  add(offered.within, "WITHIN");
  add(offered.list_extended, "LIST-EXTENDED");
  add(offered.list_status, "LIST-STATUS");
  add(offered.status_size, "STATUS=SIZE");
  add(offered.special_use, "SPECIAL-USE");
  add(offered.create_special_use, "CREATE-SPECIAL-USE");
  add(offered.multiappend, "MULTIAPPEND");
  add(offered.catenate, "CATENATE");
  add(offered.replace, "REPLACE");
  add(offered.binary, "BINARY");
  add(offered.condstore, "CONDSTORE");
  add(offered.qresync, "QRESYNC");
  add(offered.utf8_accept, "UTF8=ACCEPT");
  add(offered.objectid, "OBJECTID");
  add(offered.savedate, "SAVEDATE");
  add(offered.preview, "PREVIEW");
  add(offered.sort, "SORT");
  add(offered.sort, "SORT=DISPLAY");
  add(offered.sort, "ESORT");
  add(offered.sort, "I18NLEVEL=1");
  add(offered.thread, "THREAD=ORDEREDSUBJECT");
  add(offered.thread, "THREAD=REFERENCES");
  add(offered.context, "CONTEXT=SEARCH");
  add(offered.partial, "PARTIAL");
  add(offered.fuzzy, "SEARCH=FUZZY");
  add(offered.uid_only, "UIDONLY");
  add(offered.in_progress, "INPROGRESS");
  add(offered.quota, "QUOTA");
  add(offered.quota, "QUOTA=RES-STORAGE");
  add(offered.quota, "QUOTA=RES-MESSAGE");
  add(offered.metadata, "METADATA");
  add(offered.list_metadata, "LIST-METADATA");
  add(offered.acl, "ACL");
  add(offered.acl, "RIGHTS=kxte");
  add(offered.acl, "LIST-MYRIGHTS");
  add(offered.notify, "NOTIFY");
  add(offered.multisearch, "MULTISEARCH");
  add(offered.compress && state.authenticated, "COMPRESS=DEFLATE");
  add(offered.unauthenticate, "UNAUTHENTICATE");
  add(options.message_limit != 0, "MESSAGELIMIT=" + std::to_string(options.message_limit));
  add(options.message_limit == 0 && options.save_limit != 0, "SAVELIMIT=" + std::to_string(options.save_limit));
  add(offered.append_limit, "APPENDLIMIT=" + std::to_string(options.append_limit));
  if (state.authenticated) {
    for (const auto& name : offered.more) add(true, name);
  }
  return list;
}

}  // namespace briefwerk::protocol::imap

#pragma once

// What a server offers. A capability is switched on only when the driver has it complete; the session advertises it
// where the state allows, and refuses what is off.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/limits.hpp"

namespace briefwerk::protocol::imap {

enum class literal_rule : std::uint8_t { none, minus, plus };  // RFC 7888: none is offered, LITERAL-, LITERAL+

struct capabilities {
  // IMAP4rev2 includes most of what follows whether it is switched on or not (RFC 9051 appendix E), BINARY in FETCH,
  // SEARCHRES and LITERAL- among it: the session takes these commands from any client then.
  bool imap4rev1 = true, imap4rev2 = true;
  bool sasl_ir = true, enable = true, idle = true, name_space = true, id = true, uidplus = true, unselect = true,
       children = true, move = true, esearch = true, special_use = true, create_special_use = true, list_extended = true,
       list_status = true, status_size = true, append_limit = true;
  // Later issues.
  bool searchres = false, within = false, multiappend = false, binary = false, condstore = false, qresync = false,
       utf8_accept = false, objectid = false, savedate = false, preview = false, sort = false, thread = false,
       context = false, partial = false, unauthenticate = false, uid_only = false, quota = false, in_progress = false,
       replace = false, catenate = false, compress = false, metadata = false, list_metadata = false,
       acl = false;  // with LIST-MYRIGHTS, and other users' mailboxes in a namespace of their own
  bool notify = false, multisearch = false;
  bool fuzzy = false;  // SEARCH=FUZZY
  literal_rule literals = literal_rule::minus;
  std::vector<std::string> more;  // further names, advertised after login, as they are
};

// Shared by all sessions of a listener.
struct server_options {
  std::string greeting = "Briefwerk ready";
  capabilities offered;
  std::vector<std::string> mechanisms;    // of AUTHENTICATE, best first
  bool offer_starttls = true;             // false on an implicit TLS port
  bool login_without_tls = false;         // only what an administrator wrote into the configuration
  bool login_command = true;              // false: LOGINDISABLED after TLS as well
  std::uint64_t append_limit = base::limits::message_size;
  // RFC 9738: messages of one command; 0: no limit. MESSAGELIMIT is of every command, SAVELIMIT of COPY and APPEND alone,
  // and told only where there is no MESSAGELIMIT (§3).
  std::uint32_t message_limit = 0, save_limit = 0;
  std::size_t bad_commands = base::limits::imap_bad_commands;    // in a row, then BYE
  std::size_t auth_failures = base::limits::imap_auth_failures;  // of one connection, then BYE
};

struct capability_state {
  bool tls = false, authenticated = false;
};
// "IMAP4rev1 IMAP4rev2 …" without the word CAPABILITY.
std::string capability_list(const server_options& options, capability_state state);

}  // namespace briefwerk::protocol::imap

#pragma once

// SMTP commands as values. Everything is a view into the line that was parsed; parsing allocates nothing.
// One file for each command in lib/protocol/smtp/command/.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "briefwerk/base/result.hpp"
#include "briefwerk/mail/smtp_envelope.hpp"
#include "briefwerk/protocol/smtp/reply.hpp"

namespace briefwerk::protocol::smtp {

// Which extensions are offered: what is off is not advertised, and its parameters are refused (555 5.5.4).
struct extensions {
  bool pipelining = true;   // RFC 2920; off: not advertised, yet understood
  bool size = true;         // RFC 1870
  bool eightbitmime = true; // RFC 6152
  bool smtputf8 = true;     // RFC 6531
  bool dsn = true;          // RFC 3461
  bool chunking = true;     // RFC 3030
  bool binarymime = true;   // RFC 3030; needs chunking
  bool requiretls = false;  // RFC 8689; offered inside TLS only. On: the caller promises to honour it on the way onward
  bool limits = true;       // RFC 9422
};

// RFC 5321 §4.1.2: Path, without angle brackets and source route.
struct path {
  std::string_view mailbox;     // as received; empty: the null reverse-path <>
  std::string_view local_part;  // as received, a quoted string with its quotes
  std::string_view domain;      // as received, an address literal with its brackets; empty for <> and <postmaster>
  bool utf8 = false;            // some octet is above 127: the transaction must be SMTPUTF8

  constexpr bool is_null() const noexcept { return mailbox.empty(); }
};

enum class hello_kind : std::uint8_t { ehlo, helo, lhlo };

struct hello_command {
  hello_kind kind = hello_kind::ehlo;
  std::string_view name;  // domain or address literal; a name that breaks the grammar is passed on, the handler judges it
};
struct starttls_command {};
struct auth_command {
  std::string_view mechanism;                        // as received; names are compared without case
  std::optional<std::string_view> initial_response;  // base64 as received; "=" is the empty one (RFC 4954 §4)
};
struct mail_command {
  path from;
  std::optional<std::uint64_t> size;     // octets (RFC 1870)
  mail::body_kind body = mail::body_kind::seven_bit;  // RFC 6152 §2, RFC 3030 §3; also when BODY was not given
  bool smtputf8 = false;
  bool requiretls = false;
  mail::return_content ret = mail::return_content::not_given;
  std::optional<std::string_view> envid; // xtext as received (RFC 3461 §4.4)
  std::optional<std::string_view> auth;  // xtext as received, or "<>" (RFC 4954 §5)
};
struct rcpt_command {
  path to;
  std::uint8_t notify_on = 0;            // bits of mail::notify (RFC 3461 §4.1); 0: NOTIFY was not given
  std::string_view orcpt;                // "rfc822;" and xtext as received (RFC 3461 §4.2, RFC 6533 §3); empty: not given
};
struct data_command {};
struct bdat_command {
  std::uint64_t size = 0;
  bool last = false;
};
struct rset_command {};
struct noop_command {};
struct quit_command {};
struct vrfy_command {
  std::string_view argument;
  bool smtputf8 = false;  // RFC 6531 §3.7.4.2
};
struct expn_command {};
struct help_command {};

using command = std::variant<hello_command, starttls_command, auth_command, mail_command, rcpt_command, data_command,
                             bdat_command, rset_command, noop_command, quit_command, vrfy_command, expn_command,
                             help_command>;

// A command, or the named reply that refuses it (of static storage duration).
using parsed_command = std::expected<command, const reply*>;

// One line without its CRLF. `offered` decides which parameters of MAIL and RCPT are known. Addresses with octets
// above 127 parse here; that they need SMTPUTF8 is judged for MAIL at once, for RCPT by the session.
parsed_command parse_command(std::string_view line, const extensions& offered) noexcept;

// Into the envelope, which owns its strings. False: the address does not parse; cannot happen after parse_command.
bool add_sender(mail::smtp_envelope& envelope, const mail_command& mail);
bool add_recipient(mail::smtp_envelope& envelope, const rcpt_command& rcpt);  // <postmaster>: an empty domain

// RFC 3461 §4: xtext. Decoding fails with errc::malformed; encoding escapes "+", "=" and what is not printable ASCII.
bool is_xtext(std::string_view text) noexcept;
base::result<std::string> decode_xtext(std::string_view text);
void append_xtext(std::string& out, std::string_view octets);

}  // namespace briefwerk::protocol::smtp

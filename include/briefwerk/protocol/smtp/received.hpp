#pragma once

// Trace fields (RFC 5321 §4.4).

#include <string>
#include <string_view>

namespace briefwerk::protocol::smtp {

class server_session;

// RFC 3848, RFC 6531 §4.3: the value of `with`.
struct transmission {
  bool extended = true;        // EHLO
  bool tls = false;
  bool authenticated = false;
  bool smtputf8 = false;
  bool lmtp = false;
};
std::string_view with_protocol(const transmission& how) noexcept;  // "ESMTPSA", "UTF8SMTPS", "LMTP", …
transmission transmission_of(const server_session& session) noexcept;

// Everything is a view, used before the call returns. What a peer said (hello, names) is cleaned: nothing can end the
// field or a comment early.
struct received_field {
  std::string_view hello;           // argument of EHLO
  std::string_view client_name;     // verified reverse name; empty: unknown
  std::string_view client_address;  // address literal with brackets: ip_address::to_smtp_literal()
  std::string_view by;              // our host name
  transmission with;
  std::string_view tls_version;     // RFC 8314 §7.4 asks for it; empty: no comment
  std::string_view tls_cipher;
  std::string_view id;              // queue or session id; empty: none
  std::string_view recipient;       // the only recipient; empty when there are several (RFC 5321 §7.2: none is revealed)
  std::string_view date;            // RFC 5322 §3.3 date-time
};

// Appends "Received: …" with folding and CRLF.
void append_received(std::string& out, const received_field& field);

// Appends "Return-Path: <…>" with CRLF; `reverse_path` without angle brackets, empty for <>.
void append_return_path(std::string& out, std::string_view reverse_path);

}  // namespace briefwerk::protocol::smtp

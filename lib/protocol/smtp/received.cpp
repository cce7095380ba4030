#include "briefwerk/protocol/smtp/received.hpp"

#include "briefwerk/protocol/smtp/server_session.hpp"

namespace briefwerk::protocol::smtp {
namespace {

// Octets that could end the field, open or close a comment, or hide something, become "?". In comments and names alike.
// Of what the client says, those above 127 as well: it says it before it can ask for SMTPUTF8.
void append_clean(std::string& out, std::string_view text, bool ascii = false) {
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    const bool plain = octet > 32 && !(ascii && octet > 127) && octet != 127 && c != '(' && c != ')' && c != '\\' && c != '"' && c != ';' && c != '<' && c != '>';
    out.push_back(plain ? c : '?');
  }
}

// A path keeps what addresses may hold; only what could end the line or the path is replaced.
void append_mailbox_clean(std::string& out, std::string_view mailbox) {
  for (const char c : mailbox) out.push_back(static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c);
}

}  // namespace

//   SMTP, ESMTP, ESMTPA, ESMTPS, ESMTPSA, LMTP, LMTPA, LMTPS, LMTPSA           RFC 3848 §1
//   UTF8SMTP, UTF8SMTPA, … UTF8LMTPSA                                           RFC 6531 §4.3
std::string_view with_protocol(const transmission& how) noexcept {
  static constexpr std::string_view names[4][4] = {
      {"ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"},
      {"UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"},
      {"LMTP", "LMTPA", "LMTPS", "LMTPSA"},
      {"UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA"},
  };
  if (!how.extended && !how.lmtp && !how.smtputf8 && !how.tls && !how.authenticated) return "SMTP";
  return names[(how.lmtp ? 2 : 0) + (how.smtputf8 ? 1 : 0)][(how.tls ? 2 : 0) + (how.authenticated ? 1 : 0)];
}

transmission transmission_of(const server_session& session) noexcept {
  return {.extended = session.is_extended(),
          .tls = session.is_tls(),
          .authenticated = session.is_authenticated(),
          .smtputf8 = session.is_smtputf8(),
          .lmtp = session.options().role == server_role::lmtp};
}

// RFC 5321 §4.4:
//   Time-stamp-line = "Received:" FWS Stamp CRLF
//   Stamp = From-domain By-domain Opt-info [CFWS] ";" FWS date-time
//   From-domain = "FROM" FWS Extended-Domain        Extended-Domain = Domain FWS "(" TCP-info ")"
void append_received(std::string& out, const received_field& field) {
  out.append("Received: from ");
  append_clean(out, field.hello.empty() ? std::string_view("unknown") : field.hello, true);
  if (!field.client_address.empty() || !field.client_name.empty()) {
    out.append(" (");
    append_clean(out, field.client_name, true);
    if (!field.client_name.empty() && !field.client_address.empty()) out.push_back(' ');
    append_clean(out, field.client_address);
    out.push_back(')');
  }
  out.append("\r\n\tby ");
  append_clean(out, field.by);
  out.append(" with ").append(with_protocol(field.with));
  if (!field.tls_version.empty()) {
    out.append("\r\n\t(");
    append_clean(out, field.tls_version);
    if (!field.tls_cipher.empty()) out.push_back(' ');
    append_clean(out, field.tls_cipher);
    out.push_back(')');
  }
  if (!field.id.empty()) {
    out.append("\r\n\tid ");
    append_clean(out, field.id);
  }
  if (!field.recipient.empty()) {
    out.append("\r\n\tfor <");
    append_mailbox_clean(out, field.recipient);
    out.push_back('>');
  }
  out.append(";\r\n\t").append(field.date).append("\r\n");
}

// RFC 5321 §4.4: Return-path-line = "Return-Path:" FWS Reverse-path <CRLF>
void append_return_path(std::string& out, std::string_view reverse_path) {
  out.append("Return-Path: <");
  append_mailbox_clean(out, reverse_path);
  out.append(">\r\n");
}

}  // namespace briefwerk::protocol::smtp

#include "server/milter/macros.hpp"

#include <algorithm>

#include "briefwerk/filter/auth_facts.hpp"

namespace briefwerk::server {
namespace {

using value = std::optional<std::string>;
using facts = macro_facts;

value unless_empty(std::string text) {
  if (text.empty()) return std::nullopt;
  return text;
}

std::string_view verified_name(const filter::session_facts& session) {
  const auto found = session.notes.find(filter::auth_facts::note);
  const auto* known = found == session.notes.end() ? nullptr : std::any_cast<filter::auth_facts>(&found->second);
  return known == nullptr ? std::string_view() : std::string_view(known->client_name);
}

std::string address_in_brackets(const filter::session_facts& session) { return "[" + session.remote.address.to_string() + "]"; }

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text;
}

// Of the names of cipher suites in TLS 1.2 and 1.3.
value cipher_bits(const facts& of) {
  const std::string& cipher = of.session.tls_cipher;
  if (cipher.empty()) return std::nullopt;
  return cipher.find("128") != cipher.npos ? "128" : "256";
}

value if_logged_in(const facts& of, const std::string& text) {
  if (of.session.account.empty()) return std::nullopt;
  return unless_empty(text);
}

value mail_address(const facts& of) {
  if (of.envelope == nullptr) return std::nullopt;
  return of.envelope->sender ? mail::format_mailbox(*of.envelope->sender) : std::string();
}

value mail_host(const facts& of) {
  if (of.envelope == nullptr || !of.envelope->sender) return std::nullopt;
  return of.envelope->sender->domain;
}

value mail_mailer(const facts& of) {
  if (of.envelope == nullptr) return std::nullopt;
  return "smtp";
}

value rcpt_address(const facts& of) {
  if (of.recipient == nullptr) return std::nullopt;
  return mail::format_mailbox(of.recipient->address);
}

value rcpt_host(const facts& of) {
  if (of.recipient == nullptr) return std::nullopt;
  return of.recipient->address.domain;
}

// Mail from outside is for somebody here; where a user's goes is not looked at yet.
value rcpt_mailer(const facts& of) {
  if (of.recipient == nullptr) return std::nullopt;
  return of.session.where == filter::scope::inbound ? "local" : "smtp";
}

value daemon_name(const facts& of) { return of.session.where == filter::scope::submission ? "ORIGINATING" : "MTA"; }

value client_ptr(const facts& of) {
  const std::string_view name = verified_name(of.session);
  return name.empty() ? std::string("unknown") : std::string(name);
}

struct known_macro {
  std::string_view name;
  value (*find)(const facts&);
};

const known_macro known_macros[] = {
    {"i", [](const facts& of) { return unless_empty(of.session.session_id); }},
    {"j", [](const facts& of) { return unless_empty(std::string(of.hostname)); }},
    {"v", [](const facts&) -> value { return "Briefwerk"; }},
    {"_", [](const facts& of) -> value { return client_name(of.session) + " " + address_in_brackets(of.session); }},
    {"{auth_type}", [](const facts& of) { return if_logged_in(of, upper(of.session.login_mechanism)); }},
    {"{auth_authen}", [](const facts& of) { return if_logged_in(of, of.session.login); }},
    {"{auth_author}", [](const facts& of) { return if_logged_in(of, of.session.login); }},
    {"{mail_addr}", mail_address},
    {"{mail_host}", mail_host},
    {"{mail_mailer}", mail_mailer},
    {"{rcpt_addr}", rcpt_address},
    {"{rcpt_host}", rcpt_host},
    {"{rcpt_mailer}", rcpt_mailer},
    {"{client_addr}", [](const facts& of) -> value { return of.session.remote.address.to_string(); }},
    {"{client_port}", [](const facts& of) -> value { return std::to_string(of.session.remote.port); }},
    {"{client_name}", [](const facts& of) -> value { return client_name(of.session); }},
    {"{client_ptr}", client_ptr},
    {"{daemon_name}", daemon_name},
    {"{daemon_addr}", [](const facts& of) -> value { return of.session.local.address.to_string(); }},
    {"{daemon_port}", [](const facts& of) -> value { return std::to_string(of.session.local.port); }},
    {"{if_name}", [](const facts& of) { return unless_empty(std::string(of.hostname)); }},
    {"{if_addr}", [](const facts& of) -> value { return of.session.local.address.to_string(); }},
    {"{tls_version}", [](const facts& of) { return unless_empty(of.session.tls_version); }},
    {"{cipher}", [](const facts& of) { return unless_empty(of.session.tls_cipher); }},
    {"{cipher_bits}", cipher_bits},
};

}  // namespace

std::string client_name(const filter::session_facts& session) {
  const std::string_view name = verified_name(session);
  return name.empty() ? address_in_brackets(session) : std::string(name);
}

std::optional<std::string> macro_value(const macro_facts& of, std::string_view name) {
  const auto found = std::ranges::find(known_macros, name, &known_macro::name);
  if (found == std::end(known_macros)) return std::nullopt;
  return found->find(of);
}

}  // namespace briefwerk::server

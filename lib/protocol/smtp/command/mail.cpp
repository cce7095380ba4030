#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {
namespace {

// Each takes one parameter; null: it is fine. A parameter given twice is refused.

const reply* take_body(const parameter& given, const extensions& offered, bool& seen, mail_command& out) noexcept {
  if (!offered.eightbitmime && !offered.binarymime) return &replies::unknown_parameter;
  if (std::exchange(seen, true)) return &replies::bad_parameter;
  if (is_keyword(given.value, "7BIT")) {
    out.body = mail::body_kind::seven_bit;
  } else if (offered.eightbitmime && is_keyword(given.value, "8BITMIME")) {
    out.body = mail::body_kind::eight_bit_mime;
  } else if (offered.binarymime && offered.chunking && is_keyword(given.value, "BINARYMIME")) {
    out.body = mail::body_kind::binary_mime;
  } else {
    return &replies::bad_parameter;
  }
  return nullptr;
}

const reply* take_ret(const parameter& given, mail_command& out) noexcept {
  if (out.ret != mail::return_content::not_given) return &replies::bad_parameter;
  if (is_keyword(given.value, "FULL")) out.ret = mail::return_content::full;
  else if (is_keyword(given.value, "HDRS")) out.ret = mail::return_content::headers;
  else return &replies::bad_parameter;
  return nullptr;
}

// RFC 3461 §4.4: at most 100 characters of xtext.
const reply* take_envid(const parameter& given, mail_command& out) noexcept {
  if (out.envid || given.value.empty() || given.value.size() > 100 || !is_xtext(given.value))
    return &replies::bad_parameter;
  out.envid = given.value;
  return nullptr;
}

// RFC 1870 §3: size-value = 1*20DIGIT
const reply* take_size(const parameter& given, mail_command& out) noexcept {
  std::uint64_t size = 0;
  if (out.size || !parse_number(given.value, size)) return &replies::bad_parameter;
  out.size = size;
  return nullptr;
}

// RFC 4954 §5: AUTH= <> or an xtext mailbox.
const reply* take_auth(const parameter& given, mail_command& out) noexcept {
  if (out.auth || (given.value != "<>" && (given.value.empty() || !is_xtext(given.value))))
    return &replies::bad_parameter;
  out.auth = given.value;
  return nullptr;
}

const reply* take_flag(const parameter& given, bool offered, bool& flag) noexcept {
  if (!offered) return &replies::unknown_parameter;
  return given.has_value || std::exchange(flag, true) ? &replies::bad_parameter : nullptr;
}

const reply* take(const parameter& given, const extensions& offered, bool& body_seen, mail_command& out) noexcept {
  const std::string_view keyword = given.keyword;
  if (offered.size && is_keyword(keyword, "SIZE")) return take_size(given, out);
  if (is_keyword(keyword, "BODY")) return take_body(given, offered, body_seen, out);
  if (is_keyword(keyword, "SMTPUTF8")) return take_flag(given, offered.smtputf8, out.smtputf8);
  if (is_keyword(keyword, "AUTH")) return take_auth(given, out);
  if (offered.dsn && is_keyword(keyword, "RET")) return take_ret(given, out);
  if (offered.dsn && is_keyword(keyword, "ENVID")) return take_envid(given, out);
  if (is_keyword(keyword, "REQUIRETLS")) return take_flag(given, offered.requiretls, out.requiretls);
  return &replies::unknown_parameter;
}

}  // namespace

// RFC 5321 §4.1.1.2: mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF. Deviation: spaces after the colon,
// which the grammar forbids, are tolerated; many programs send them.
parsed_command parse_mail(std::string_view arguments, const extensions& offered) noexcept {
  if (arguments.size() < 5 || !is_keyword(arguments.substr(0, 5), "FROM:")) return refuse(replies::bad_syntax);
  arguments.remove_prefix(5);
  while (arguments.starts_with(' ')) arguments.remove_prefix(1);

  mail_command out;
  if (!take_path(arguments, out.from) || (!out.from.is_null() && out.from.domain.empty()))
    return refuse(replies::bad_sender_syntax);
  bool body_seen = false;
  while (!arguments.empty()) {
    parameter given;
    if (!take_parameter(arguments, given)) return refuse(replies::bad_syntax);
    if (const reply* refusal = take(given, offered, body_seen, out)) return refuse(*refusal);
  }
  if (out.from.utf8 && !out.smtputf8) return refuse(replies::non_ascii_address);
  return out;
}

}  // namespace briefwerk::protocol::smtp

#include <algorithm>

#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {
namespace {

// RFC 3461 §4.1: notify-esmtp-value = "NEVER" / 1#notify-list-element
const reply* take_notify(const parameter& given, rcpt_command& out) noexcept {
  if (out.notify_on != 0) return &replies::bad_parameter;
  if (is_keyword(given.value, "NEVER")) {
    out.notify_on = mail::notify::never;
    return nullptr;
  }
  unsigned on = 0;
  for (std::string_view rest = given.value;;) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view element = rest.substr(0, comma);
    if (is_keyword(element, "SUCCESS")) on |= mail::notify::success;
    else if (is_keyword(element, "FAILURE")) on |= mail::notify::failure;
    else if (is_keyword(element, "DELAY")) on |= mail::notify::delay;
    else return &replies::bad_parameter;
    if (comma == rest.size()) break;
    rest.remove_prefix(comma + 1);
  }
  out.notify_on = static_cast<std::uint8_t>(on);
  return nullptr;
}

// RFC 3461 §4.2: original-recipient-address = addr-type ";" encoded-addr, at most 500 characters; xtext, but for the
// type utf-8 (RFC 6533 §3), whose encodings are a matter of whoever reads them.
const reply* take_orcpt(const parameter& given, rcpt_command& out) noexcept {
  const std::size_t semicolon = given.value.find(';');
  if (!out.orcpt.empty() || given.value.size() > 500 || semicolon == 0 || semicolon == std::string_view::npos)
    return &replies::bad_parameter;
  const std::string_view type = given.value.substr(0, semicolon);
  const std::string_view address = given.value.substr(semicolon + 1);
  const auto atom = [](char c) { return (upper(c) >= 'A' && upper(c) <= 'Z') || (c >= '0' && c <= '9') || c == '-'; };
  if (address.empty() || !std::ranges::all_of(type, atom)) return &replies::bad_parameter;
  if (!is_keyword(type, "UTF-8") && !is_xtext(address)) return &replies::bad_parameter;
  out.orcpt = given.value;
  return nullptr;
}

}  // namespace

// RFC 5321 §4.1.1.3: rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP parameters]
// Spaces after the colon as in MAIL.
parsed_command parse_rcpt(std::string_view arguments, const extensions& offered) noexcept {
  if (arguments.size() < 3 || !is_keyword(arguments.substr(0, 3), "TO:")) return refuse(replies::bad_syntax);
  arguments.remove_prefix(3);
  while (arguments.starts_with(' ')) arguments.remove_prefix(1);

  rcpt_command out;
  if (!take_path(arguments, out.to) || out.to.is_null()) return refuse(replies::bad_recipient_syntax);
  while (!arguments.empty()) {
    parameter given;
    if (!take_parameter(arguments, given)) return refuse(replies::bad_syntax);
    const reply* refusal = &replies::unknown_parameter;
    if (offered.dsn && is_keyword(given.keyword, "NOTIFY")) refusal = take_notify(given, out);
    else if (offered.dsn && is_keyword(given.keyword, "ORCPT")) refusal = take_orcpt(given, out);
    if (refusal != nullptr) return refuse(*refusal);
  }
  return out;
}

}  // namespace briefwerk::protocol::smtp

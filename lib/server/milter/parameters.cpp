#include "server/milter/parameters.hpp"

#include <string_view>

namespace briefwerk::server {

std::vector<std::string> mail_parameters(const mail::smtp_envelope& envelope) {
  std::vector<std::string> made;
  if (envelope.announced_size != 0) made.push_back("SIZE=" + std::to_string(envelope.announced_size));
  if (envelope.body == mail::body_kind::eight_bit_mime) made.emplace_back("BODY=8BITMIME");
  if (envelope.body == mail::body_kind::binary_mime) made.emplace_back("BODY=BINARYMIME");
  if (envelope.smtputf8) made.emplace_back("SMTPUTF8");
  if (envelope.require_tls) made.emplace_back("REQUIRETLS");
  if (envelope.ret == mail::return_content::headers) made.emplace_back("RET=HDRS");
  if (envelope.ret == mail::return_content::full) made.emplace_back("RET=FULL");
  if (!envelope.envelope_id.empty()) made.push_back("ENVID=" + envelope.envelope_id);
  return made;
}

std::vector<std::string> rcpt_parameters(const mail::envelope_recipient& recipient) {
  constexpr struct {
    std::uint8_t bit;
    std::string_view word;
  } words[] = {{mail::notify::never, "NEVER"},
               {mail::notify::success, "SUCCESS"},
               {mail::notify::failure, "FAILURE"},
               {mail::notify::delay, "DELAY"}};
  std::vector<std::string> made;
  std::string notify;
  for (const auto& one : words) {
    if ((recipient.notify_on & one.bit) == 0) continue;
    if (!notify.empty()) notify += ',';
    notify += one.word;
  }
  if (!notify.empty()) made.push_back("NOTIFY=" + notify);
  if (!recipient.original_recipient.empty()) made.push_back("ORCPT=" + recipient.original_recipient);
  return made;
}

}  // namespace briefwerk::server

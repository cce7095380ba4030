#pragma once

// Parameters of MAIL and RCPT as a client would have written them: "SIZE=100", "NOTIFY=NEVER".

#include <string>
#include <vector>

#include "briefwerk/mail/smtp_envelope.hpp"

namespace briefwerk::server {

std::vector<std::string> mail_parameters(const mail::smtp_envelope& envelope);
std::vector<std::string> rcpt_parameters(const mail::envelope_recipient& recipient);

}  // namespace briefwerk::server

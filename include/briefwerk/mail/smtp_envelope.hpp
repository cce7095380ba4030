#pragma once

// The SMTP envelope of one message: who sends it to whom, with the parameters of MAIL and RCPT (RFC 5321 §2.3.1).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "briefwerk/mail/address.hpp"

namespace briefwerk::mail {

// NOTIFY of RCPT (RFC 3461 §4.1) as bits; 0 = not given.
namespace notify {
inline constexpr std::uint8_t never = 1, success = 2, failure = 4, delay = 8;
}

enum class body_kind : std::uint8_t { seven_bit, eight_bit_mime, binary_mime };
enum class return_content : std::uint8_t { not_given, headers, full };  // RET, RFC 3461 §4.3

struct envelope_recipient {
  mailbox_address address;
  std::string original_recipient;  // ORCPT as given, xtext; empty where absent
  std::uint8_t notify_on = 0;
};

struct smtp_envelope {
  std::optional<mailbox_address> sender;  // nothing: the null reverse-path
  std::vector<envelope_recipient> recipients;
  std::string envelope_id;                // ENVID as given, xtext
  return_content ret = return_content::not_given;
  body_kind body = body_kind::seven_bit;
  bool smtputf8 = false;
  bool require_tls = false;               // RFC 8689
  std::uint64_t announced_size = 0;       // octets, SIZE of RFC 1870; 0 where not given
};

}  // namespace briefwerk::mail

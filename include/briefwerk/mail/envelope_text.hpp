#pragma once

// Takes apart the ready ENVELOPE text of a message summary (RFC 9051 §7.5.2), which we wrote ourselves: SEARCH answers
// FROM, SUBJECT and the like from it, without opening the message.

#include <optional>
#include <string>
#include <string_view>

namespace briefwerk::mail {

enum class envelope_field : unsigned char { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id };

// The value of one field as text to search in: UTF-8, encoded-words decoded, addresses as `name <mailbox@host>`, one
// behind the other. Nothing when the field is NIL, or the text is not an envelope.
std::optional<std::string> envelope_text(std::string_view envelope, envelope_field field);

}  // namespace briefwerk::mail

#pragma once

// The values of macros that milters know from Sendmail (its op.me, "Macros"), out of a session.

#include <optional>
#include <string>
#include <string_view>

#include "briefwerk/filter/stage.hpp"

namespace briefwerk::server {

struct macro_facts {
  const filter::session_facts& session;
  std::string_view hostname;
  const mail::smtp_envelope* envelope = nullptr;         // from mail on
  const mail::envelope_recipient* recipient = nullptr;   // at rcpt
};

// `name` as in a list of symbols: "i", "{auth_type}". Nothing: not known, or no such macro.
std::optional<std::string> macro_value(const macro_facts& facts, std::string_view name);

// Name of the client, verified in both directions; else its address in brackets, as Sendmail has it.
std::string client_name(const filter::session_facts& session);

}  // namespace briefwerk::server

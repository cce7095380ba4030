#pragma once

// Errors of the store as tagged NO answers (RFC 5530, RFC 9208 §6).

#include <string_view>
#include <system_error>

#include "briefwerk/protocol/imap/response_code.hpp"

namespace briefwerk::server::imap {

struct refusal {
  std::string_view code, text;
};

refusal refusal_of(std::error_code why) noexcept;
// For APPEND, COPY and MOVE: a mailbox that is missing could be made (RFC 9051 §6.3.12).
refusal refusal_of_target(std::error_code why) noexcept;

}  // namespace briefwerk::server::imap

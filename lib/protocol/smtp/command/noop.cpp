#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {

// RFC 5321 §4.1.1.9: noop = "NOOP" [ SP String ] CRLF; the string is ignored.
parsed_command parse_noop(std::string_view) noexcept { return noop_command{}; }

}  // namespace briefwerk::protocol::smtp

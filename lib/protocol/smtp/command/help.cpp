#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {

// RFC 5321 §4.1.1.8: help = "HELP" [ SP String ] CRLF; one answer for every string.
parsed_command parse_help(std::string_view) noexcept { return help_command{}; }

}  // namespace briefwerk::protocol::smtp

#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {

// RFC 5321 §4.1.1.7: lists are not shown; the session refuses the command (§7.3), whatever its argument.
parsed_command parse_expn(std::string_view) noexcept { return expn_command{}; }

}  // namespace briefwerk::protocol::smtp

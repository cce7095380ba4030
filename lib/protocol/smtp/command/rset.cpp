#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {

// RFC 5321 §4.1.1.5: rset = "RSET" CRLF
parsed_command parse_rset(std::string_view arguments) noexcept {
  if (!arguments.empty()) return refuse(replies::no_arguments_allowed);
  return rset_command{};
}

}  // namespace briefwerk::protocol::smtp

#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {

// RFC 5321 §4.1.1.6: vrfy = "VRFY" SP String CRLF; RFC 6531 §3.7.4.2 adds the parameter SMTPUTF8.
parsed_command parse_vrfy(std::string_view arguments, const extensions& offered) noexcept {
  vrfy_command out{arguments};
  const std::size_t space = arguments.rfind(' ');
  if (offered.smtputf8 && space != std::string_view::npos && is_keyword(arguments.substr(space + 1), "SMTPUTF8")) {
    out.smtputf8 = true;
    out.argument = arguments.substr(0, arguments.find_last_not_of(' ', space) + 1);
  }
  if (out.argument.empty()) return refuse(replies::bad_syntax);
  return out;
}

}  // namespace briefwerk::protocol::smtp

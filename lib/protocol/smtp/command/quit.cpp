#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {

// RFC 5321 §4.1.1.10: quit = "QUIT" CRLF
parsed_command parse_quit(std::string_view arguments) noexcept {
  if (!arguments.empty()) return refuse(replies::no_arguments_allowed);
  return quit_command{};
}

}  // namespace briefwerk::protocol::smtp

#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {

// RFC 5321 §4.1.1.4: data = "DATA" CRLF
parsed_command parse_data(std::string_view arguments) noexcept {
  if (!arguments.empty()) return refuse(replies::no_arguments_allowed);
  return data_command{};
}

}  // namespace briefwerk::protocol::smtp

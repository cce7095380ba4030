#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {

// RFC 3207 §4: no parameters; 501 when there are some.
parsed_command parse_starttls(std::string_view arguments) noexcept {
  if (!arguments.empty()) return refuse(replies::no_arguments_allowed);
  return starttls_command{};
}

}  // namespace briefwerk::protocol::smtp

#include <algorithm>

#include "briefwerk/base/limits.hpp"
#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {

// RFC 5321 §4.1.1.1: ehlo = "EHLO" SP ( Domain / address-literal ) CRLF; RFC 2033 §4.1 for LHLO. Clients send names
// with underscores and worse: any word of visible characters parses, and whether it will do is the handler's affair.
parsed_command parse_hello(hello_kind kind, std::string_view arguments) noexcept {
  const auto visible = [](char c) { return static_cast<unsigned char>(c) > 32 && c != 127; };
  if (arguments.empty() || arguments.size() > base::limits::address_domain ||
      !std::ranges::all_of(arguments, visible))
    return refuse(replies::bad_syntax);
  return hello_command{kind, arguments};
}

}  // namespace briefwerk::protocol::smtp

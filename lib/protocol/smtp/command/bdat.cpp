#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {

// RFC 3030 §2: bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CRLF, chunk-size = 1*DIGIT, end-marker = "LAST"
parsed_command parse_bdat(std::string_view arguments) noexcept {
  bdat_command out;
  if (!parse_number(take_word(arguments), out.size)) return refuse(replies::bad_syntax);
  out.last = is_keyword(arguments, "LAST");
  if (!out.last && !arguments.empty()) return refuse(replies::bad_syntax);
  return out;
}

}  // namespace briefwerk::protocol::smtp

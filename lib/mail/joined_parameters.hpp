#pragma once

// What RFC 2231 §3 cut in pieces is one parameter again, as clients of IMAP want to have it: filename*0 and filename*1
// are filename, and filename*0* and filename*1* are filename*, still encoded (§4).

#include <string>
#include <string_view>
#include <vector>

namespace briefwerk::mail {

struct joined_parameter {
  std::string name;   // as written, without the number of the piece
  std::string value;  // without quotes
};

// `rest` as for parameter_reader. Each stands where its first piece stood; pieces behind a gap stay as they are.
std::vector<joined_parameter> read_joined_parameters(std::string_view rest);

}  // namespace briefwerk::mail

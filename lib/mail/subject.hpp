#pragma once

// Base subject of a message, RFC 5256 §2.1.

#include <string>
#include <string_view>

namespace briefwerk::mail {

struct base_subject_result {
  std::string text;  // UTF-8, case as written
  bool is_reply = false;
};

// From the value of the Subject field.
base_subject_result base_subject(std::string_view value);

}  // namespace briefwerk::mail

#pragma once

// Something that looks for malware in messages.

#include <cstdint>
#include <string>
#include <string_view>

#include "briefwerk/base/task.hpp"

namespace briefwerk::filter {

enum class scan_outcome : std::uint8_t {
  clean,
  infected,
  too_large,  // a bound was reached before everything was seen; nothing was found up to there
  encrypted,  // parts cannot be looked into; nothing was found in the others
  failed,     // nobody knows: no scanner, or no answer in time
};

struct scan_answer {
  scan_outcome outcome = scan_outcome::failed;
  std::string text;  // name of what was found, which bound, or why it failed; printable ASCII, never of the message
};

class scanner {
 public:
  virtual ~scanner() = default;
  // The octets are kept alive by the caller until the answer, which comes within a time that the scanner bounds.
  // From any thread.
  virtual base::task<scan_answer> scan(std::string_view message) = 0;
};

}  // namespace briefwerk::filter

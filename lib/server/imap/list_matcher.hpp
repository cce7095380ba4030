#pragma once

// Which names a LIST pattern means (RFC 9051 §6.3.9): "*" any octets, "%" any but the hierarchy delimiter.

#include <string>
#include <string_view>
#include <vector>

namespace briefwerk::server::imap {

class list_matcher {
 public:
  // `reference` and `pattern` as the client sent them, in UTF-8; the one stands before the other.
  list_matcher(std::string_view reference, std::string_view pattern);

  // Time is bounded by twice the square of the name's length, whatever the pattern.
  bool matches(std::string_view name) const;
  bool has_percent() const noexcept { return pattern_.find('%') != pattern_.npos; }

 private:
  std::string pattern_;
  std::size_t literals_ = 0;  // octets of the pattern that are no wildcards
  mutable std::vector<char> reached_;  // by position in the name; memory of the last match
};

}  // namespace briefwerk::server::imap

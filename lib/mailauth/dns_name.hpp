#pragma once

#include <cstddef>
#include <string_view>

#include "mail/ascii.hpp"

namespace briefwerk::mailauth {

inline constexpr std::size_t longest_dns_name = 253;  // as text, without final dot (RFC 1035 §2.3.4)

// Can DNS be asked for it? ASCII, in labels of 1 to 63 octets. Names from mail and from records may be anything else:
// those do not exist (RFC 7208 §4.8 leaves it to us).
inline bool is_askable(std::string_view name) noexcept {
  if (name.empty() || name.size() > longest_dns_name) return false;
  std::size_t label = 0;
  for (const char c : name) {
    if (mail::ascii::is_8bit(c)) return false;
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
    } else if (++label > 63) {
      return false;
    }
  }
  return label != 0;
}

}  // namespace briefwerk::mailauth

#pragma once

// Macro strings (RFC 7208 §7): reading them, and putting values in.

#include <chrono>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/mailauth/spf.hpp"

namespace briefwerk::mailauth::spf {

// Where a macro string stands decides what it may hold.
enum class macro_place : std::uint8_t {
  domain,       // domain-spec: has to end in a top label or an expansion
  modifier,     // value of an unknown modifier
  explanation,  // explain-string: spaces, and the letters c, r and t (§7.2)
};

// `offset` is the position of `text` in what errors speak of.
std::expected<macro_string, syntax_error> parse_macro_string(std::string_view text, macro_place place,
                                                             std::size_t offset);

struct macro_values {
  std::string_view sender, local, sender_domain, domain, helo, receiver, validated;
  const base::ip_address* ip = nullptr;
  std::chrono::sys_seconds now;
};

bool uses_letter(const macro_string& macros, char letter) noexcept;

// The text, values put in; of more than `most` octets only an end that is at least 512 long, since that is what
// becomes a name (§7.3).
std::string expand(const macro_string& macros, const macro_values& values, std::size_t most);

// A name for DNS: without final dot, labels taken from the left until 253 octets are left (§7.3).
std::string fit_name(std::string text);

}  // namespace briefwerk::mailauth::spf

#pragma once

// What the parsers of single commands share. `arguments` is what follows the verb, without spaces round it.

#include <string_view>

#include "briefwerk/protocol/smtp/command.hpp"

namespace briefwerk::protocol::smtp {

parsed_command parse_hello(hello_kind kind, std::string_view arguments) noexcept;
parsed_command parse_starttls(std::string_view arguments) noexcept;
parsed_command parse_auth(std::string_view arguments) noexcept;
parsed_command parse_mail(std::string_view arguments, const extensions& offered) noexcept;
parsed_command parse_rcpt(std::string_view arguments, const extensions& offered) noexcept;
parsed_command parse_data(std::string_view arguments) noexcept;
parsed_command parse_bdat(std::string_view arguments) noexcept;
parsed_command parse_rset(std::string_view arguments) noexcept;
parsed_command parse_noop(std::string_view arguments) noexcept;
parsed_command parse_quit(std::string_view arguments) noexcept;
parsed_command parse_vrfy(std::string_view arguments, const extensions& offered) noexcept;
parsed_command parse_expn(std::string_view arguments) noexcept;
parsed_command parse_help(std::string_view arguments) noexcept;

inline std::unexpected<const reply*> refuse(const reply& named) noexcept { return std::unexpected(&named); }

constexpr char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

// `name` is in upper case.
constexpr bool is_keyword(std::string_view text, std::string_view name) noexcept {
  if (text.size() != name.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (upper(text[i]) != name[i]) return false;
  return true;
}

// Takes octets up to the next space, and the spaces after them.
std::string_view take_word(std::string_view& text) noexcept;

// A decimal number of at most twenty digits that fits.
bool parse_number(std::string_view text, std::uint64_t& value) noexcept;

// Takes `<path>` (RFC 5321 §4.1.2) from the front, and the spaces after it. False: not the grammar.
bool take_path(std::string_view& text, path& out) noexcept;

// One parameter of MAIL or RCPT:
//   esmtp-param = esmtp-keyword ["=" esmtp-value]        RFC 5321 §4.1.2, values with UTF-8 by RFC 6531 §3.3
struct parameter {
  std::string_view keyword;
  std::string_view value;
  bool has_value = false;
};
bool take_parameter(std::string_view& text, parameter& out) noexcept;

}  // namespace briefwerk::protocol::smtp

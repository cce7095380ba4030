#include "briefwerk/protocol/smtp/command.hpp"

#include <algorithm>
#include <charconv>

#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {
namespace {

constexpr std::uint32_t verb(char a, char b, char c, char d) noexcept {
  const auto octet = [](char value) { return static_cast<std::uint32_t>(static_cast<unsigned char>(upper(value))); };
  return octet(a) << 24 | octet(b) << 16 | octet(c) << 8 | octet(d);
}

constexpr bool is_keyword_octet(char c) noexcept {
  return (c >= '0' && c <= '9') || (upper(c) >= 'A' && upper(c) <= 'Z') || c == '-';
}

// esmtp-value = 1*(%d33-60 / %d62-126), and UTF-8
constexpr bool is_value_octet(char c) noexcept {
  const auto octet = static_cast<unsigned char>(c);
  return octet > 32 && octet != '=' && octet != 127;
}

}  // namespace

parsed_command parse_command(std::string_view line, const extensions& offered) noexcept {
  // RFC 5321 §4.1.1: white space before the CRLF is tolerated.
  while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
  const std::string_view name = take_word(line);
  if (name.size() == 8 && is_keyword(name, "STARTTLS")) return parse_starttls(line);
  if (name.size() != 4) return refuse(replies::unknown_command);
  switch (verb(name[0], name[1], name[2], name[3])) {
    case verb('E', 'H', 'L', 'O'): return parse_hello(hello_kind::ehlo, line);
    case verb('H', 'E', 'L', 'O'): return parse_hello(hello_kind::helo, line);
    case verb('L', 'H', 'L', 'O'): return parse_hello(hello_kind::lhlo, line);
    case verb('A', 'U', 'T', 'H'): return parse_auth(line);
    case verb('M', 'A', 'I', 'L'): return parse_mail(line, offered);
    case verb('R', 'C', 'P', 'T'): return parse_rcpt(line, offered);
    case verb('D', 'A', 'T', 'A'): return parse_data(line);
    case verb('B', 'D', 'A', 'T'): return parse_bdat(line);
    case verb('R', 'S', 'E', 'T'): return parse_rset(line);
    case verb('N', 'O', 'O', 'P'): return parse_noop(line);
    case verb('Q', 'U', 'I', 'T'): return parse_quit(line);
    case verb('V', 'R', 'F', 'Y'): return parse_vrfy(line, offered);
    case verb('E', 'X', 'P', 'N'): return parse_expn(line);
    case verb('H', 'E', 'L', 'P'): return parse_help(line);
    default: return refuse(replies::unknown_command);
  }
}

std::string_view take_word(std::string_view& text) noexcept {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  while (text.starts_with(' ')) text.remove_prefix(1);
  return word;
}

bool parse_number(std::string_view text, std::uint64_t& value) noexcept {
  if (text.empty() || text.size() > 20) return false;
  const auto got = std::from_chars(text.data(), text.data() + text.size(), value);
  return got.ec == std::errc() && got.ptr == text.data() + text.size();
}

bool take_parameter(std::string_view& text, parameter& out) noexcept {
  const std::string_view word = take_word(text);
  const std::size_t equals = word.find('=');
  out.has_value = equals != std::string_view::npos;
  out.keyword = word.substr(0, equals);
  out.value = out.has_value ? word.substr(equals + 1) : std::string_view();
  return !out.keyword.empty() && out.keyword[0] != '-' && std::ranges::all_of(out.keyword, is_keyword_octet) &&
         out.has_value == !out.value.empty() && std::ranges::all_of(out.value, is_value_octet);
}

}  // namespace briefwerk::protocol::smtp

#include "mailauth/field_text.hpp"

#include <algorithm>

#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/charset.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mailauth {
namespace {

namespace ascii = mail::ascii;

bool is_utf8_atom(char c) noexcept { return ascii::is_atext(c) || ascii::is_8bit(c); }

std::string escaped(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string sayable(std::string_view text) {
  std::string out(text);
  const bool utf8 = mail::is_valid_utf8(text);
  for (char& c : out)
    if (ascii::is_control(c) || (ascii::is_8bit(c) && !utf8)) c = '?';
  return out;
}

std::string quoted(std::string_view value) { return '"' + escaped(sayable(value), "\"\\") + '"'; }

std::string comment(std::string_view text) { return '(' + escaped(sayable(text), "()\\") + ')'; }

std::string dot_atom_or_quoted(std::string_view value) {
  bool atom = !value.empty() && value.front() != '.' && value.back() != '.' && mail::is_valid_utf8(value);
  for (std::size_t i = 0; i < value.size() && atom; ++i)
    atom = is_utf8_atom(value[i]) || (value[i] == '.' && value[i + 1] != '.');
  return atom ? std::string(value) : quoted(value);
}

std::string token_or_quoted(std::string_view value) {
  const bool token = !value.empty() && std::ranges::all_of(value, ascii::is_token) && mail::is_valid_utf8(value);
  return token ? std::string(value) : quoted(value);
}

}  // namespace briefwerk::mailauth

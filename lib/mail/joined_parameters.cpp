#include "mail/joined_parameters.hpp"

#include <algorithm>
#include <optional>
#include <ranges>

#include "briefwerk/mail/header.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mail {
namespace {

struct piece {
  std::string name, value;
  std::string_view base;           // of the name
  std::optional<unsigned> number;  // of name*0 and name*0*
  bool extended = false;           // name*0*
  bool taken = false;
};

void split_name(piece& one) {
  std::string_view name = one.name;
  const bool extended = name.ends_with('*');
  if (extended) name.remove_suffix(1);
  const auto star = name.rfind('*');
  if (star == name.npos || star == 0) return;
  const auto digits = name.substr(star + 1);
  if (digits.empty() || digits.size() > 3 || !std::ranges::all_of(digits, ascii::is_digit)) return;
  unsigned number = 0;
  for (const char c : digits) number = number * 10 + static_cast<unsigned>(c - '0');
  one.base = name.substr(0, star);
  one.number = number;
  one.extended = extended;
}

// RFC 2231 §7: what is no attribute-char is written as %XX.
void append_encoded(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : text) {
    if (ascii::is_token(c) && c != '*' && c != '\'' && c != '%') {
      out += c;
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    out += '%';
    out += digits[octet >> 4];
    out += digits[octet & 15];
  }
}

joined_parameter join(std::vector<piece>& pieces, std::string_view base) {
  std::vector<piece*> found;
  const auto is_next = [&](const piece& one) {
    return one.number == found.size() && !one.taken && ascii::equals(one.base, base);
  };
  for (auto at = std::ranges::find_if(pieces, is_next); at != pieces.end(); at = std::ranges::find_if(pieces, is_next)) {
    at->taken = true;
    found.push_back(&*at);
  }
  const bool extended = std::ranges::any_of(found, [](const piece* one) { return one->extended; });
  joined_parameter out{std::string(base) + (extended ? "*" : ""), {}};
  if (extended && !found.front()->extended) out.value = "''";  // no charset, no language
  for (const piece* one : found) {
    if (extended && !one->extended) append_encoded(out.value, one->value);
    else out.value += one->value;
  }
  return out;
}

}  // namespace

std::vector<joined_parameter> read_joined_parameters(std::string_view rest) {
  std::vector<piece> pieces;
  std::string_view name, value;
  bool escaped = false;
  for (parameter_reader reader(rest); reader.next(name, value, escaped);)
    pieces.push_back({.name = std::string(name), .value = escaped ? unquote(value) : std::string(value)});
  for (auto& one : pieces) split_name(one);

  const auto of = [](std::string_view base) {
    return [base](const piece& other) { return other.number && ascii::equals(other.base, base); };
  };
  std::vector<joined_parameter> out;
  for (const auto& one : pieces) {
    if (one.taken) continue;
    auto same = pieces | std::views::filter(of(one.base));
    const bool has_first = std::ranges::any_of(same, [](const piece& other) { return other.number == 0u; });
    const bool is_joined = std::ranges::any_of(same, &piece::taken);
    if (one.number && has_first && !is_joined) out.push_back(join(pieces, one.base));
    if (!one.taken) out.push_back({one.name, one.value});
  }
  return out;
}

}  // namespace briefwerk::mail

#include "mailauth/spf/macro.hpp"

#include <algorithm>
#include <vector>

#include "mail/ascii.hpp"
#include "mailauth/dns_name.hpp"
#include "mailauth/printable.hpp"

namespace briefwerk::mailauth::spf {
namespace {

namespace ascii = mail::ascii;

constexpr unsigned most_labels = 1000;  // "keep" beyond it means all: no value has as many parts
constexpr std::string_view delimiters = ".-+,/_=";

using parsed_part = std::expected<macro_part, syntax_error>;

std::unexpected<syntax_error> bad(std::size_t position, std::string problem) {
  return std::unexpected(syntax_error{position, printable(std::move(problem))});
}

// macro-expand = "%{" macro-letter *DIGIT ["r"] *delimiter "}"; `at` stands behind the "{" and is moved behind the "}".
parsed_part parse_expansion(std::string_view text, std::size_t& at, macro_place place, std::size_t offset) {
  macro_part out;
  if (at == text.size()) return bad(offset + at, "macro letter missing");
  const char letter = ascii::lower(text[at]);
  const bool in_explanation = letter == 'c' || letter == 'r' || letter == 't';
  if (!in_explanation && std::string_view("slodipvh").find(letter) == std::string_view::npos)
    return bad(offset + at, std::string("unknown macro letter \"") + text[at] + "\"");
  if (in_explanation && place != macro_place::explanation)
    return bad(offset + at, std::string("macro letter \"") + text[at] + "\" outside of an explanation");
  out.letter = letter;
  out.url_escape = text[at] != letter;
  const std::size_t digits = ++at;
  for (; at < text.size() && ascii::is_digit(text[at]); ++at)
    out.keep = std::min(out.keep * 10 + static_cast<unsigned>(text[at] - '0'), most_labels);
  // RFC 7208 §7.1: the value MUST be nonzero.
  if (at != digits && out.keep == 0) return bad(offset + digits, "a macro that keeps 0 parts");
  if (at < text.size() && ascii::lower(text[at]) == 'r') {
    out.reverse = true;
    ++at;
  }
  const std::size_t begin = at;
  while (at < text.size() && delimiters.find(text[at]) != std::string_view::npos) ++at;
  out.delimiters = text.substr(begin, at - begin);
  if (at == text.size() || text[at] != '}') return bad(offset + at, "\"}\" of a macro missing");
  ++at;
  return out;
}

// toplabel: letters, digits and hyphens, neither begun nor ended by a hyphen, not all digits.
bool is_top_label(std::string_view label) noexcept {
  if (label.empty() || label.front() == '-' || label.back() == '-') return false;
  if (!std::ranges::all_of(label, [](char c) { return ascii::is_alpha(c) || ascii::is_digit(c) || c == '-'; }))
    return false;
  return !std::ranges::all_of(label, ascii::is_digit);
}

// domain-end = ( "." toplabel [ "." ] ) / macro-expand. `tail` is what follows the last expansion.
std::expected<void, syntax_error> check_domain_end(std::string_view tail, bool after_expansion, std::size_t offset) {
  if (tail.empty() && after_expansion) return {};
  if (tail.empty()) return bad(offset, "domain missing");
  std::string_view name = tail;
  if (name.ends_with('.')) name.remove_suffix(1);
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos)
    return bad(offset, "a domain needs two labels at least: \"" + std::string(tail) + "\"");
  if (is_top_label(name.substr(dot + 1))) return {};
  if (base::ip_address::parse(name)) return bad(offset, "an address where a domain has to be (ip4: is meant?)");
  return bad(offset + dot + 1, "\"" + std::string(name.substr(dot + 1)) + "\" is no top-level domain");
}

std::string nibbles(const base::ip_address& ip) {
  if (ip.is_v4()) return ip.to_string();
  std::string out;
  for (const char c : ip.octets()) {
    const auto octet = static_cast<unsigned char>(c);
    for (const int digit : {octet >> 4, octet & 15}) {
      if (!out.empty()) out += '.';
      out += "0123456789ABCDEF"[digit];
    }
  }
  return out;
}

std::string value_of(char letter, const macro_values& values) {
  switch (letter) {
    case 's':
      return std::string(values.sender);
    case 'l':
      return std::string(values.local);
    case 'o':
      return std::string(values.sender_domain);
    case 'd':
      return std::string(values.domain);
    case 'i':
      return nibbles(*values.ip);
    case 'p':
      return std::string(values.validated);
    case 'v':
      return values.ip->is_v4() ? "in-addr" : "ip6";
    case 'h':
      return std::string(values.helo);
    case 'c':
      return values.ip->to_string();
    case 'r':
      return values.receiver.empty() ? std::string("unknown") : std::string(values.receiver);
    case 't':
      return std::to_string(values.now.time_since_epoch().count());
    default:
      return {};
  }
}

// §7.3: split at the delimiters, reverse, keep the right-hand parts, join with dots.
std::string transform(std::string_view value, const macro_part& part) {
  std::vector<std::string_view> pieces;
  const std::string_view splits = part.delimiters.empty() ? std::string_view(".") : part.delimiters;
  for (;;) {
    const std::size_t end = value.find_first_of(splits);
    pieces.push_back(value.substr(0, end));
    if (end == std::string_view::npos) break;
    value.remove_prefix(end + 1);
  }
  if (part.reverse) std::ranges::reverse(pieces);
  std::size_t first = 0;
  if (part.keep != 0 && part.keep < pieces.size()) first = pieces.size() - part.keep;
  std::string out;
  for (std::size_t i = first; i < pieces.size(); ++i) {
    if (i != first) out += '.';
    out += pieces[i];
  }
  return out;
}

// RFC 3986 §2.3: all that is not unreserved.
std::string url_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (ascii::is_alpha(c) || ascii::is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    out += '%';
    out += "0123456789ABCDEF"[octet >> 4];
    out += "0123456789ABCDEF"[octet & 15];
  }
  return out;
}

}  // namespace

std::expected<macro_string, syntax_error> parse_macro_string(std::string_view text, macro_place place,
                                                             std::size_t offset) {
  macro_string out;
  const auto literal = [&out](std::string_view what) {
    if (out.empty() || out.back().letter != 0) out.emplace_back();
    out.back().literal += what;
  };
  std::size_t tail = 0;  // behind the last expansion
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    // macro-literal = %x21-24 / %x26-7E
    const bool visible = (c > 0x20 && c < 0x7f) || (c == ' ' && place == macro_place::explanation);
    if (!visible) return bad(offset + at, "a character that is not printable ASCII");
    if (c != '%') {
      literal(text.substr(at++, 1));
      continue;
    }
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    at += 2;
    if (next == '%') {
      literal("%");
    } else if (next == '_') {
      literal(" ");
    } else if (next == '-') {
      literal("%20");
    } else if (next == '{') {
      parsed_part part = parse_expansion(text, at, place, offset);
      if (!part) return std::unexpected(std::move(part.error()));
      out.push_back(std::move(*part));
    } else {
      return bad(offset + at - 2, "\"%\" without \"{\", \"%\", \"_\" or \"-\"");
    }
    tail = at;
  }
  if (place != macro_place::domain) return out;
  const std::expected<void, syntax_error> end = check_domain_end(text.substr(tail), tail != 0, offset + tail);
  if (!end) return std::unexpected(end.error());
  return out;
}

bool uses_letter(const macro_string& macros, char letter) noexcept {
  return std::ranges::any_of(macros, [letter](const macro_part& part) { return part.letter == letter; });
}

std::string expand(const macro_string& macros, const macro_values& values, std::size_t most) {
  std::string out;
  for (const macro_part& part : macros) {
    if (part.letter == 0) {
      out += part.literal;
    } else {
      const std::string value = transform(value_of(part.letter, values), part);
      out += part.url_escape ? url_escape(value) : value;
    }
    if (out.size() > most) out.erase(0, out.size() - std::min<std::size_t>(most, 512));
  }
  return out;
}

std::string fit_name(std::string text) {
  if (text.ends_with('.')) text.pop_back();
  while (text.size() > longest_dns_name) {
    const std::size_t dot = text.find('.');
    if (dot == std::string::npos) break;
    text.erase(0, dot + 1);
  }
  return text;
}

}  // namespace briefwerk::mailauth::spf

#include "filter/html_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "filter/names.hpp"

namespace briefwerk::filter {
namespace {

constexpr std::array<std::string_view, 14> inline_tags = {"a",    "b",   "i",      "u",     "s",    "em",  "font",
                                                          "span", "big", "strong", "small", "code", "sup", "sub"};
constexpr std::size_t longest_entity = 10;

void append_code_point(std::string& out, std::uint32_t code) {
  if (code < 0x20 || code == 0xa0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
    out += ' ';
  } else if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// Takes "&…;" from the front; a lone "&" is itself.
std::size_t take_entity(std::string& out, std::string_view rest) {
  const std::size_t end = rest.substr(0, longest_entity + 1).find(';');
  if (end == rest.npos || end < 2) return out += '&', 1;
  const std::string_view name = rest.substr(1, end - 1);
  if (name.front() == '#') {
    const bool hex = name.size() > 1 && lower(name[1]) == 'x';
    const std::string_view digits = name.substr(hex ? 2 : 1);
    std::uint32_t code = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return out += '&', 1;
    append_code_point(out, code);
    return end + 1;
  }
  constexpr std::pair<std::string_view, char> known[] = {
      {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
  const auto found = std::ranges::find(known, name, &std::pair<std::string_view, char>::first);
  out += found != std::end(known) ? found->second : ' ';
  return end + 1;
}

// The end of a tag's inside; quoted values may hold ">".
std::size_t end_of_tag(std::string_view inside) {
  char quote = 0;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    const char c = inside[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if ((c == '"' || c == '\'') && i > 0 && inside[i - 1] == '=') {
      quote = c;
    } else if (c == '>') {
      return i;
    }
  }
  return inside.find('>');  // an open quote: as if there were none
}

// The end of the element whose text nobody sees.
std::size_t end_of_hidden(std::string_view html, std::size_t from, std::string_view name) {
  for (std::size_t at = from; (at = html.find("</", at)) != html.npos; at += 2) {
    const std::string_view here = html.substr(at + 2, name.size());
    if (here.size() == name.size() && std::ranges::equal(here, name, {}, [](char c) { return lower(c); })) return at;
  }
  return html.size();
}

}  // namespace

void append_html_text(std::string& out, std::string_view html,
                      const std::function<void(std::string_view, std::string_view)>& tag) {
  for (std::size_t at = 0; at < html.size();) {
    if (html[at] == '&') {
      at += take_entity(out, html.substr(at));
      continue;
    }
    if (html[at] != '<') {
      const std::size_t next = std::min(html.find_first_of("<&", at), html.size());
      out.append(html.substr(at, next - at));
      at = next;
      continue;
    }
    const std::string_view inside = html.substr(at + 1);
    if (inside.starts_with("!--")) {
      const std::size_t end = inside.find("-->", 3);
      at = end == inside.npos ? html.size() : at + 1 + end + 3;
      continue;
    }
    const std::size_t end = end_of_tag(inside);
    if (end == inside.npos) return;
    const std::string_view whole = inside.substr(0, end);
    const bool closes = whole.starts_with('/');
    const std::string_view bare = closes ? whole.substr(1) : whole;
    const std::size_t name_end = std::min(bare.find_first_of(" \t\r\n/"), bare.size());
    const std::string name = lower(bare.substr(0, std::min<std::size_t>(name_end, 16)));
    if (!closes && tag) tag(name, bare.substr(name_end));
    if (std::ranges::find(inline_tags, std::string_view(name)) == inline_tags.end()) out += ' ';
    at += end + 2;
    if (!closes && (name == "style" || name == "script")) at = end_of_hidden(html, at, name);
  }
}

}  // namespace briefwerk::filter

#include "mail/preview.hpp"

#include <algorithm>
#include <charconv>

#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/transfer.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mail {
namespace {

constexpr std::size_t preview_characters = 200;  // RFC 8970 §3.1: more than 256 are forbidden, more than 200 unwanted
constexpr std::size_t plain_octets = 4096;       // read of a text part
constexpr std::size_t html_octets = 65536;       // styles stand before the text

// Elements whose content is not text.
constexpr std::string_view hidden_elements[] = {"style", "script", "head", "title"};

void append_entity(std::string& out, std::string_view name) {
  struct entity {
    std::string_view name, text;
  };
  constexpr entity entities[] = {{"amp", "&"},   {"lt", "<"},    {"gt", ">"},        {"quot", "\""},  {"apos", "'"},
                                 {"nbsp", " "},  {"zwnj", ""},   {"auml", "\u00e4"}, {"ouml", "\u00f6"},
                                 {"uuml", "\u00fc"}, {"Auml", "\u00c4"}, {"Ouml", "\u00d6"}, {"Uuml", "\u00dc"},
                                 {"szlig", "\u00df"}, {"eacute", "\u00e9"}, {"egrave", "\u00e8"}, {"agrave", "\u00e0"},
                                 {"ccedil", "\u00e7"}, {"euro", "\u20ac"}, {"copy", "\u00a9"}, {"ndash", "\u2013"},
                                 {"mdash", "\u2014"}, {"hellip", "\u2026"}, {"rsquo", "\u2019"}, {"lsquo", "\u2018"},
                                 {"ldquo", "\u201c"}, {"rdquo", "\u201d"}};
  for (const auto& e : entities) {
    if (e.name == name) {
      out += e.text;
      return;
    }
  }
  if (!name.starts_with('#') || name.size() < 2) return;
  const bool hex = ascii::lower(name[1]) == 'x';
  const auto digits = name.substr(hex ? 2 : 1);
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  if (error != std::errc{} || end != digits.data() + digits.size() || value > 0x10ffff) return;
  // By way of UTF-32, so that surrogates and the like are replaced.
  const char octets[] = {'\0', static_cast<char>(value >> 16), static_cast<char>((value >> 8) & 0xffu),
                         static_cast<char>(value & 0xffu)};
  if (auto text = to_utf8({octets, 4}, "UTF-32BE")) out += *text;
}

// Moves past the end tag of the element, or to the end.
std::size_t after_element(std::string_view html, std::size_t at, std::string_view name) {
  for (auto open = html.find("</", at); open != html.npos; open = html.find("</", open + 2)) {
    if (!ascii::starts_with(html.substr(open + 2), name)) continue;
    const auto close = html.find('>', open);
    return close == html.npos ? html.size() : close + 1;
  }
  return html.size();
}

// `html[at]` is "<": the place behind the tag and what it hides.
std::size_t after_tag(std::string_view html, std::size_t at) {
  if (html.substr(at).starts_with("<!--")) {
    const auto end = html.find("-->", at + 4);
    return end == html.npos ? html.size() : end + 3;
  }
  const auto close = html.find('>', at);
  if (close == html.npos) return html.size();
  for (const auto name : hidden_elements) {
    const auto tag = html.substr(at + 1, close - at - 1);
    if (ascii::starts_with(tag, name) && (tag.size() == name.size() || !ascii::is_alpha(tag[name.size()])))
      return after_element(html, close + 1, name);
  }
  return close + 1;
}

// White space in one, at most preview_characters, nothing that could disturb a terminal.
std::string one_line(std::string_view text) {
  std::string out;
  out.reserve(std::min(text.size(), 2 * preview_characters));
  std::size_t characters = 0;
  bool space = false;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t size = 1;
    while (i + size < text.size() && (static_cast<unsigned char>(text[i + size]) & 0xc0u) == 0x80u) ++size;
    const auto character = text.substr(i, size);
    i += size;
    // No-break spaces and the invisible fillers of newsletters count as white space.
    const bool filler = character == "\u00a0" || character == "\u200b" || character == "\u200c" ||
                        character == "\u034f" || character == "\u00ad" || character == "\ufeff";
    if (filler || ascii::is_space(character[0]) || ascii::is_control(character[0])) {
      space = !out.empty();
      continue;
    }
    if (characters + (space ? 1 : 0) >= preview_characters) break;
    if (space) out += ' ';
    characters += space ? 2 : 1;
    space = false;
    out += character;
  }
  return out;
}

const mime_part* find_text(const mime_tree& tree, std::string_view subtype) {
  std::uint32_t attached_end = 0;  // what lies before it is of another message
  for (const auto& part : tree.parts()) {
    if (part.kind == part_kind::message && part.parent != no_part) attached_end = std::max(attached_end, part.body.end());
    if (part.body.offset < attached_end) continue;
    if (part.kind != part_kind::leaf || !tree.is(part, "text", subtype) || part.body.empty()) continue;
    auto value = tree.view(part.content_disposition);
    std::string_view disposition;
    if (read_token(value, disposition) && ascii::equals(disposition, "attachment")) continue;
    return &part;
  }
  return nullptr;
}

}  // namespace

std::string strip_html(std::string_view html) {
  std::string out;
  for (std::size_t i = 0; i < html.size();) {
    const char c = html[i];
    if (c == '<') {
      i = after_tag(html, i);
      out += ' ';
    } else if (c == '&') {
      const auto end = html.substr(i, 12).find(';');
      if (end == html.npos) {
        out += c;
        ++i;
      } else {
        append_entity(out, html.substr(i + 1, end - 1));
        i += end + 1;
      }
    } else {
      out += c;
      ++i;
    }
  }
  return out;
}

std::string preview(const mime_tree& tree) {
  bool html = false;
  const auto* part = find_text(tree, "plain");
  if (part == nullptr) {
    html = true;
    part = find_text(tree, "html");
  }
  if (part == nullptr) return {};
  const auto most = html ? html_octets : plain_octets;
  auto octets = decode_body(part->encoding, tree.view(part->body), most);
  // Not to end within a character, which would make the text look like no UTF-8 at all.
  for (int i = 0; i < 4 && octets.size() + 4 > most && ascii::is_8bit(octets.back()); ++i) octets.pop_back();
  std::string text;
  const auto type = parse_content_type(tree.view(part->content_type));
  const auto* charset = type.find("charset");
  if (charset != nullptr && !ascii::equals(*charset, "us-ascii")) {
    auto converted = to_utf8(octets, *charset);
    text = converted ? std::move(*converted) : guess_utf8(octets);
  } else {
    text = guess_utf8(octets);
  }
  return one_line(html ? strip_html(text) : text);
}

}  // namespace briefwerk::mail

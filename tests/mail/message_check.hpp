#pragma once

// What must hold for every message whatsoever; shared by the tests and the fuzz target. Aborts by `fail(what)`.

#include <cstdint>
#include <string>
#include <string_view>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/mime.hpp"
#include "briefwerk/mail/summary.hpp"
#include "briefwerk/mail/transfer.hpp"

namespace briefwerk::test {

// One parenthesised IMAP list and nothing behind it: quoted strings, literals, atoms, numbers.
inline bool is_imap_list(std::string_view text) {
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '(') {
      ++depth;
    } else if (c == ')') {
      if (depth == 0) return false;
      if (--depth == 0) return i + 1 == text.size();
    } else if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
        if (i >= text.size() || text[i] == '\r' || text[i] == '\n' || text[i] == '\0' || (text[i] & '\x80') != 0)
          return false;
      }
      if (i >= text.size()) return false;
    } else if (c == '{') {
      std::size_t length = 0;
      for (++i; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
        length = length * 10 + static_cast<std::size_t>(text[i] - '0');
      if (!text.substr(i).starts_with("}\r\n") || text.size() - i - 3 < length) return false;
      if (text.substr(i + 3, length).find('\0') != text.npos) return false;
      i += 2 + length;
    } else if (c != ' ' && (c < '0' || c > '9') && c != 'N' && c != 'I' && c != 'L') {
      return false;
    }
  }
  return false;
}

template <class Fail>
void check_part(const mail::mime_tree& tree, const mail::mime_part& part, Fail fail) {
  const auto size = tree.raw().size();
  if (part.header.end() > size || part.body.end() > size) fail("a range lies outside the message");
  if (part.header.end() != part.body.offset) fail("the body does not follow its header");
  if (tree.type(part).empty() || tree.subtype(part).empty()) fail("a part without type");
  if (part.depth > base::limits::mime_depth + 1) fail("too deep");
  const auto body = tree.view(part.body);
  std::size_t lines = 0;
  for (const char c : body) lines += c == '\n' ? 1u : 0u;
  if (lines != part.body_lines) fail("lines are counted wrong");
  std::uint32_t at = part.body.offset;
  const auto* child = tree.first_child(part);
  if ((child != nullptr) == (part.kind == mail::part_kind::leaf)) fail("children and kind disagree");
  if (part.kind == mail::part_kind::message &&
      (child == nullptr || tree.next(*child) != nullptr || child->header.offset != at ||
       child->body.end() != part.body.end()))
    fail("a message part is not its message");
  for (; child != nullptr; child = tree.next(*child)) {
    if (tree.parent(*child) != &part) fail("parent and child disagree");
    if (child->header.offset < at || child->body.end() > part.body.end()) fail("a child lies outside its parent");
    at = child->body.end();
    check_part(tree, *child, fail);
  }
}

template <class Fail>
void check_message(std::string_view raw, Fail fail) {
  const mail::mime_tree tree(raw);
  if (tree.parts().empty() || tree.parts().size() > base::limits::mime_parts) fail("number of parts");
  if (tree.root().header.offset != 0 || tree.root().body.end() != raw.size()) fail("the root is not the message");
  check_part(tree, tree.root(), fail);
  for (const auto& part : tree.parts()) {
    const auto decoded = mail::decode_body(part.encoding, tree.view(part.body), 1 << 16);
    if (decoded.size() > 1 << 16) fail("decoded past the bound");
    for (const auto range : {part.content_type, part.content_disposition}) {
      for (const auto& p : mail::parse_content_type(tree.view(range)).parameters)
        if (!mail::is_valid_utf8(p.value)) fail("a parameter is not UTF-8");
    }
  }
  const auto summary = mail::summarise(tree);
  if (!is_imap_list(summary.envelope)) fail("ENVELOPE is not a list");
  if (!is_imap_list(summary.body)) fail("BODY is not a list");
  if (!is_imap_list(summary.body_structure)) fail("BODYSTRUCTURE is not a list");
  for (const auto* text : {&summary.base_subject, &summary.from, &summary.display_from, &summary.preview})
    if (!mail::is_valid_utf8(*text)) fail("a key is not UTF-8");
  const auto octets = mail::encode_summary(summary);
  const auto again = mail::decode_summary(octets);
  if (!again || *again != summary) fail("a summary does not come back as it was");
}

}  // namespace briefwerk::test

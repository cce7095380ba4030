#include "briefwerk/mail/searched_text.hpp"

#include <algorithm>
#include <string>

#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/transfer.hpp"

namespace briefwerk::mail {
namespace {

// Memory stays bounded.
constexpr std::size_t searched_text = 16u << 20;

std::string charset_of(const mime_tree& tree, const mime_part& part) {
  const auto type = parse_content_type(tree.view(part.content_type));
  const std::string* charset = type.find("charset");
  return charset == nullptr ? std::string() : *charset;
}

bool visit_part(const mime_tree& tree, const mime_part& part, const text_visitor& visit) {
  const auto raw = tree.view(part.body);
  const bool encoded = part.encoding == transfer_encoding::base64 || part.encoding == transfer_encoding::quoted_printable;
  const auto shown = raw.substr(0, std::min(raw.size(), searched_text));
  if (!encoded && is_ascii(shown)) return visit(shown);
  const std::string octets = encoded ? decode_body(part.encoding, raw, searched_text) : std::string(shown);
  const auto charset = charset_of(tree, part);
  if (!charset.empty()) {
    if (const auto text = to_utf8(octets, charset)) return visit(*text);
  }
  return visit(guess_utf8(octets));
}

// What is cut in pieces or encoded as RFC 2231 has it does not stand in the header as people write it.
bool visit_names(const mime_tree& tree, byte_range field, parameterised_value (&parse)(std::string_view), const text_visitor& visit) {
  const auto raw = tree.view(field);
  if (raw.find('*') == raw.npos) return false;
  const auto value = parse(raw);
  for (const std::string_view name : {"name", "filename"}) {
    const std::string* text = value.find(name);
    if (text != nullptr && visit(*text)) return true;
  }
  return false;
}

}  // namespace

bool visit_header_text(std::string_view block, const text_visitor& visit) {
  header_reader reader(block);
  for (header_field found; reader.next(found);) {
    std::string line(found.name);
    line.append(": ").append(decode_text(found.value));
    if (visit(line)) return true;
  }
  return false;
}

bool visit_field_text(std::string_view block, std::string_view field, const text_visitor& visit) {
  header_reader reader(block);
  for (header_field found; reader.next(found);) {
    if (equals_ignoring_case(found.name, field) && visit(decode_text(found.value))) return true;
  }
  return false;
}

bool visit_body_text(const mime_tree& tree, const text_visitor& visit) {
  for (const auto& part : tree.parts()) {
    const auto* parent = tree.parent(part);
    const bool is_message = parent != nullptr && parent->kind == part_kind::message;
    if (is_message && visit_header_text(tree.view(part.header), visit)) return true;
    const bool is_text = part.kind == part_kind::leaf && (tree.is(part, "text") || tree.is(part, "message"));
    if (is_text && visit_part(tree, part, visit)) return true;
  }
  return false;
}

bool visit_part_headers(const mime_tree& tree, const text_visitor& visit) {
  for (const auto& part : tree.parts()) {
    const auto* parent = tree.parent(part);
    const bool is_inside = parent != nullptr && parent->kind != part_kind::message;
    if (is_inside && visit_header_text(tree.view(part.header), visit)) return true;
    if (visit_names(tree, part.content_type, parse_content_type, visit)) return true;
    if (visit_names(tree, part.content_disposition, parse_content_disposition, visit)) return true;
  }
  return false;
}

}  // namespace briefwerk::mail

#include "briefwerk/base/limits.hpp"
#include "briefwerk/mail/mime.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mail {

using base::errc;
using base::fail;

// RFC 9051 §9:
//   section-spec    = section-msgtext / (section-part ["." section-text])
//   section-part    = nz-number *("." nz-number)
//   section-text    = section-msgtext / "MIME"
base::result<section> parse_section(std::string_view text) {
  section parsed;
  while (!text.empty() && ascii::is_digit(text.front())) {
    std::uint64_t number = 0;
    while (!text.empty() && ascii::is_digit(text.front())) {
      number = number * 10 + static_cast<unsigned>(text.front() - '0');
      if (number == 0 || number > 0xffffffffu) return fail(errc::malformed);
      text.remove_prefix(1);
    }
    if (parsed.path.size() == base::limits::mime_depth * 2) return fail(errc::limit_exceeded);
    parsed.path.push_back(static_cast<std::uint32_t>(number));
    if (text.empty()) return parsed;
    if (text.front() != '.') return fail(errc::malformed);
    text.remove_prefix(1);
    if (text.empty()) return fail(errc::malformed);
  }
  if (text.empty()) return parsed;
  if (ascii::equals(text, "HEADER")) parsed.item = section_item::header;
  else if (ascii::equals(text, "HEADER.FIELDS")) parsed.item = section_item::header_fields;
  else if (ascii::equals(text, "HEADER.FIELDS.NOT")) parsed.item = section_item::header_fields_not;
  else if (ascii::equals(text, "TEXT")) parsed.item = section_item::text;
  else if (ascii::equals(text, "MIME") && !parsed.path.empty()) parsed.item = section_item::mime;
  else return fail(errc::malformed);
  return parsed;
}

const mime_part* find_part(const mime_tree& tree, std::span<const std::uint32_t> path) noexcept {
  const mime_part* part = &tree.root();
  bool inside_message = true;  // the next number counts the parts of the message whose root is `part`
  for (auto number : path) {
    if (!inside_message && part->kind == part_kind::message) {
      part = tree.first_child(*part);
      inside_message = true;
    }
    if (part->kind == part_kind::multipart) {
      part = tree.first_child(*part);
      while (--number != 0 && part != nullptr) part = tree.next(*part);
      if (part == nullptr) return nullptr;
    } else if (!inside_message || number != 1) {
      return nullptr;  // RFC 9051 §6.4.5.1: a message that is no multipart has one part, number 1
    }
    inside_message = false;
  }
  return part;
}

std::optional<byte_range> find_section(const mime_tree& tree, const section& wanted) noexcept {
  const auto* part = find_part(tree, wanted.path);
  if (part == nullptr) return std::nullopt;
  const bool whole_message = wanted.path.empty();
  switch (wanted.item) {
    case section_item::all:
      if (whole_message) return byte_range{0, static_cast<std::uint32_t>(tree.raw().size())};
      return part->body;
    case section_item::mime: return part->header;
    case section_item::header:
    case section_item::header_fields:
    case section_item::header_fields_not:
    case section_item::text: break;
  }
  // HEADER and TEXT belong to messages: the whole one, or one inside.
  if (!whole_message) {
    if (part->kind != part_kind::message) return std::nullopt;
    part = tree.first_child(*part);
  }
  return wanted.item == section_item::text ? part->body : part->header;
}

}  // namespace briefwerk::mail

#pragma once

// The MIME tree of a message: offsets into the raw octets, nothing copied. One forward pass (RFC 2045, RFC 2046);
// it never fails, whatever the octets are: what cannot be understood is a leaf. Lines may end in CRLF or LF.
// Bounds: limits::mime_depth, mime_parts, header_fields, header_block_size; what lies past one is opaque.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"

namespace briefwerk::mail {

// A piece of the raw message. Messages past 4 GiB are described up to there.
struct byte_range {
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  std::uint32_t end() const noexcept { return offset + length; }
  bool empty() const noexcept { return length == 0; }
  std::string_view of(std::string_view raw) const noexcept { return {raw.data() + offset, length}; }
  bool operator==(const byte_range&) const = default;
};

enum class part_kind : std::uint8_t {
  leaf,       // anything without children
  multipart,  // with its children, at least one
  message,    // message/rfc822 or message/global: its only child is the message inside
};

// Content-Transfer-Encoding, RFC 2045 §6.
enum class transfer_encoding : std::uint8_t { seven_bit, eight_bit, binary, quoted_printable, base64, unknown };

inline constexpr std::uint32_t no_part = 0xffffffff;

struct mime_part {
  byte_range header;  // the fields and the empty line that ends them
  byte_range body;    // without the line end that belongs to a following boundary
  // Values of fields as they stand in the header, folding included, without the final line end; empty when absent.
  // Of a field that occurs twice the first counts.
  byte_range content_type;
  byte_range content_transfer_encoding;
  byte_range content_disposition;
  byte_range content_id;
  byte_range content_description;
  byte_range content_md5;
  byte_range content_language;
  byte_range content_location;
  // Inside content_type; both empty when absent or not well formed: then the type is text/plain, or
  // message/rfc822 in a multipart/digest (mime_tree::type knows).
  byte_range type;
  byte_range subtype;
  std::uint32_t body_lines = 0;    // line ends in the body
  std::uint32_t header_lines = 0;  // line ends in the header
  std::uint32_t parent = no_part;
  std::uint32_t first_child = no_part;
  std::uint32_t next = no_part;  // next child of the same parent
  part_kind kind = part_kind::leaf;
  transfer_encoding encoding = transfer_encoding::seven_bit;
  bool in_digest = false;  // child of a multipart/digest (RFC 2046 §5.1.5)
  // A multipart or message that could not be opened (no boundary, no boundary line, or past a bound): a leaf that
  // is described as application/octet-stream (past a bound) or text/plain (RFC 2045 §5.2, no valid type).
  bool opaque = false;
  std::uint16_t depth = 0;  // 0 for the root
};

class mime_tree {
 public:
  mime_tree() = default;
  explicit mime_tree(std::string_view raw) { parse(raw); }

  // Replaces the content; memory of an earlier parse is used again. `raw` must outlive what is read from the tree.
  void parse(std::string_view raw);

  // Never empty after parse; parts()[0] is the message. Children stand after their parent, in the message's order.
  std::span<const mime_part> parts() const noexcept { return parts_; }
  const mime_part& root() const noexcept { return parts_.front(); }
  std::string_view raw() const noexcept { return raw_; }
  std::string_view view(byte_range range) const noexcept { return range.of(raw_); }

  // The type that counts, as written ("TEXT"), defaults applied; never empty.
  std::string_view type(const mime_part& part) const noexcept;
  std::string_view subtype(const mime_part& part) const noexcept;
  // Compares without regard to case: is(part, "text", "plain"); an empty subtype matches all.
  bool is(const mime_part& part, std::string_view type, std::string_view subtype = {}) const noexcept;

  // nullptr when there is none.
  const mime_part* first_child(const mime_part& part) const noexcept { return at(part.first_child); }
  const mime_part* next(const mime_part& part) const noexcept { return at(part.next); }
  const mime_part* parent(const mime_part& part) const noexcept { return at(part.parent); }

 private:
  const mime_part* at(std::uint32_t index) const noexcept { return index == no_part ? nullptr : &parts_[index]; }

  std::string_view raw_;
  std::vector<mime_part> parts_;
};

// IMAP section numbers, RFC 9051 §6.4.5.1.
enum class section_item : std::uint8_t {
  all,            // BODY[], BODY[1.2]
  header,         // HEADER, 1.2.HEADER
  header_fields,  // HEADER.FIELDS (…): the field list is for the IMAP parser
  header_fields_not,
  text,           // TEXT, 1.2.TEXT
  mime,           // 1.2.MIME
};

struct section {
  std::vector<std::uint32_t> path;
  section_item item = section_item::all;
  bool operator==(const section&) const = default;
};

// The section-spec without brackets and without a field list: "", "1.2.MIME", "HEADER.FIELDS", in any case.
// errc::malformed; errc::limit_exceeded past limits::mime_depth numbers.
base::result<section> parse_section(std::string_view text);

// The part that a list of numbers names, nullptr when there is none. The empty list names the root.
const mime_part* find_part(const mime_tree& tree, std::span<const std::uint32_t> path) noexcept;

// Where the section stands in the raw message; nothing when it does not exist (FETCH answers NIL, RFC 9051 §6.4.5.1).
// For header_fields and header_fields_not: the header to select from, see append_header_fields in header.hpp.
std::optional<byte_range> find_section(const mime_tree& tree, const section& wanted) noexcept;

}  // namespace briefwerk::mail

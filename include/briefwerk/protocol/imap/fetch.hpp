#pragma once

// Items of FETCH (RFC 9051 §6.4.5, RFC 3501 §6.4.5, RFC 3516, RFC 7162, RFC 8474, RFC 8514, RFC 8970).

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace briefwerk::protocol::imap {

enum class fetch_kind : std::uint8_t {
  uid,
  flags,
  internal_date,
  size,            // RFC822.SIZE
  envelope,
  body,            // BODY without section: the structure without extension data
  body_structure,
  section,         // BODY[…], BODY.PEEK[…]
  rfc822,          // RFC 3501: BODY[] under its old name
  rfc822_header,   // BODY.PEEK[HEADER]
  rfc822_text,     // BODY[TEXT]
  binary,          // BINARY[…], BINARY.PEEK[…]
  binary_size,
  modseq,
  email_id,
  thread_id,
  save_date,
  preview,
};
using fetch_kinds = std::uint32_t;
constexpr fetch_kinds bit(fetch_kind kind) noexcept { return 1u << static_cast<unsigned>(kind); }

enum class section_text : std::uint8_t { whole, header, header_fields, header_fields_not, text, mime };

// In octets; length is never 0.
struct partial_range {
  std::uint64_t offset = 0, length = 0;
};

struct fetch_item {
  fetch_kind kind = fetch_kind::flags;
  // Of section, binary, binary_size; the rfc822 kinds have their section filled in as well.
  bool peek = true;                          // false: sets \Seen (in a mailbox that can be changed)
  section_text text = section_text::whole;
  std::span<const std::uint32_t> part;       // "1.2"; empty: the message itself
  std::span<const std::string_view> fields;  // of header_fields and header_fields_not, as written
  std::optional<partial_range> partial;
  bool lazy = false;                         // PREVIEW (LAZY)
};

}  // namespace briefwerk::protocol::imap

#pragma once

// Header fields: reading them in place, unfolding, RFC 2047 encoded-words, RFC 2231 parameters, and writing them.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"

namespace briefwerk::mail {

// Views into the header block that was read; offsets are their distance from its start.
struct header_field {
  std::string_view name;   // without white space before the colon
  std::string_view value;  // behind the colon, folding and leading space included, without the final line end
  std::string_view whole;  // from the name to the final line end
};

// ASCII only, as header names, parameters, IMAP and SMTP keywords need it.
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;

// Walks the fields of a header block in place, without memory of its own. Lines end in CRLF or LF. Lines that are no
// field and continue none (no colon, no name; an mbox "From " line) are passed over. Ends behind the first empty line.
class header_reader {
 public:
  explicit header_reader(std::string_view block) noexcept : begin_(block.data()), at_(begin_), end_(begin_ + block.size()) {}

  // False at the end of the block, or past limits::header_fields or limits::header_block_size.
  bool next(header_field& field) noexcept;

  // Octets consumed so far; after next() returned false, the length of the block with its empty line.
  std::size_t position() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

 private:
  const char* begin_;
  const char* at_;
  const char* end_;
  std::size_t count_ = 0;
  bool done_ = false;
};

// All fields, for repeated look-ups. The text must outlive the block. What follows the empty line is ignored.
class header_block {
 public:
  explicit header_block(std::string_view text);

  std::span<const header_field> fields() const& noexcept { return fields_; }
  std::span<const header_field> fields() const&& = delete;  // it would outlive the block
  std::size_t length() const noexcept { return length_; }  // with the empty line

  // The nth field of that name (from 0), nullptr when there is none.
  const header_field* find(std::string_view name, std::size_t nth = 0) const noexcept;
  // Value of the first field of that name, as it stands; empty when there is none.
  std::string_view value(std::string_view name) const noexcept;
  std::size_t count(std::string_view name) const noexcept;

 private:
  std::vector<header_field> fields_;
  std::size_t length_ = 0;
};

// Appends the fields (whole, in their order) whose name is in `names`, or is not in it when `negate`, and the empty
// line: BODY[HEADER.FIELDS (…)] and its opposite (RFC 9051 §6.4.5.1).
void append_header_fields(std::string& out, std::string_view block, std::span<const std::string_view> names, bool negate);

// Removes the line ends of folding (RFC 5322 §2.2.3) and white space round the value. White space that begins a line
// becomes one space: senders fold with a tab, or with more spaces than were there.
std::string unfold(std::string_view value);

// An unstructured value, or any other text with encoded-words, as valid UTF-8: unfolded, RFC 2047 decoded. Encoded
// words that are broken or in an unknown charset stay as they are. Raw octets that are not UTF-8 are taken as
// windows-1252.
std::string decode_text(std::string_view value);

struct parameter {
  std::string name;   // lower case, without RFC 2231 marks
  std::string value;  // UTF-8
  bool operator==(const parameter&) const = default;
};

// Content-Type, Content-Disposition and other fields of the form `value *( ";" name "=" value )`.
struct parameterised_value {
  std::string value;  // lower case: "text/plain", "attachment"; "" when it is not well formed
  std::vector<parameter> parameters;
  // nullptr when there is none.
  const std::string* find(std::string_view name) const noexcept;
  bool operator==(const parameterised_value&) const = default;
};

// RFC 2045 §5.1 and RFC 2231: continuations joined, charsets converted, %xx decoded; RFC 2047 words in parameters
// are decoded too, though they do not belong there. Comments are skipped. The first of two parameters of one name
// counts. At most limits::mime_parameters. Never fails.
parameterised_value parse_content_type(std::string_view value);         // value is "type/subtype" or ""
parameterised_value parse_content_disposition(std::string_view value);  // value is one token or ""

// The parameters as they are written, in place, for BODYSTRUCTURE: RFC 2231 marks stay in the name.
class parameter_reader {
 public:
  // Begins behind the first ";" of the field value: `rest` as read_media_type or read_token left it.
  explicit parameter_reader(std::string_view rest) noexcept : rest_(rest) {}
  // False at the end. `value` is without its quotes; when `escaped`, unquote(value) is still needed.
  bool next(std::string_view& name, std::string_view& value, bool& escaped) noexcept;

 private:
  std::string_view rest_;
  std::size_t count_ = 0;
};

// Takes "type/subtype" from the front of a Content-Type value, comments skipped. False when it is not well formed.
bool read_media_type(std::string_view& rest, std::string_view& type, std::string_view& subtype) noexcept;
// Takes one token from the front, comments skipped. False when there is none.
bool read_token(std::string_view& rest, std::string_view& token) noexcept;
// Resolves quoted pairs and removes the line ends of folding.
std::string unquote(std::string_view value);

// Message ids of a Message-ID, In-Reply-To or References value (RFC 5322 §3.6.4), without angle brackets, quotes of
// the left side resolved, spaces and controls left out; text between them is passed over. At most `limit`.
std::vector<std::string> parse_message_ids(std::string_view value, std::size_t limit = 1000);

// Writing.

// RFC 2047 "B" or "Q" encoded-words where the UTF-8 text needs them, words of at most 75 octets; ASCII text without
// "=?" is left as it is. `phrase`: for display names, the narrower alphabet of §5 (3).
enum class word_context : unsigned char { text, phrase };
std::string encode_text(std::string_view utf8, word_context context = word_context::text);

// Appends "Name: value CRLF", folded at white space so that lines stay within 78 characters where that is possible
// and within 998 always (RFC 5322 §2.1.1). Line ends inside the value are turned into spaces: nobody can smuggle a
// field in. The value must be encoded already.
void write_header_field(std::string& out, std::string_view name, std::string_view value);

// Appends `; name="value"` or its RFC 2231 form when the value is not ASCII or too long for a line.
void append_parameter(std::string& out, std::string_view name, std::string_view utf8_value);

}  // namespace briefwerk::mail

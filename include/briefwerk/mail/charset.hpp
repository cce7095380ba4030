#pragma once

// Charsets and Unicode text. The conversions are ICU's; all functions are safe to call from any thread.

#include <cstddef>
#include <string>
#include <string_view>

#include "briefwerk/base/result.hpp"

namespace briefwerk::mail {

// Whether to_utf8 can convert from it (any alias, any case).
bool is_known_charset(std::string_view charset);

// From any charset to UTF-8; what cannot be converted becomes U+FFFD. errc::unsupported for an unknown charset.
base::result<std::string> to_utf8(std::string_view octets, std::string_view charset);

// Text of unknown making as valid UTF-8: kept when it is valid, else read as windows-1252.
std::string guess_utf8(std::string_view octets);

bool is_ascii(std::string_view text) noexcept;
bool is_valid_utf8(std::string_view text) noexcept;
// Length of the longest prefix of at most `max` octets that does not cut a character.
std::size_t utf8_prefix(std::string_view text, std::size_t max) noexcept;
// Invalid sequences replaced by U+FFFD.
std::string repair_utf8(std::string_view text);
// Unicode normalisation form C of valid UTF-8 (RFC 5198).
std::string normalise_nfc(std::string_view text);

// i;unicode-casemap (RFC 5051 §2): simple titlecase, then full compatibility decomposition. Two texts are equal
// under the collation when the results are the same octets; one holds the other as substring when its result does.
std::string casemap(std::string_view utf8);
// Appends the same.
void append_casemap(std::string& out, std::string_view utf8);

// Looks for one text in many under i;unicode-casemap.
class casemap_searcher {
 public:
  explicit casemap_searcher(std::string_view needle) : needle_(casemap(needle)) {}
  bool found_in(std::string_view utf8) const;
  const std::string& needle() const noexcept { return needle_; }

 private:
  std::string needle_;
};

// Mailbox names of IMAP4rev1 (RFC 3501 §5.1.3). Strict: errc::malformed for what a correct encoder never writes.
base::result<std::string> decode_modified_utf7(std::string_view name);
// The text must be valid UTF-8, else errc::malformed.
base::result<std::string> encode_modified_utf7(std::string_view utf8);

}  // namespace briefwerk::mail

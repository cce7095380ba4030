#pragma once

// Content transfer encodings (RFC 2045 §6): decoding forgives, encoding is exact.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "briefwerk/mail/mime.hpp"

namespace briefwerk::mail {

// Decodes in pieces. Base64: octets outside the alphabet are skipped (§6.8), what follows padding begins anew, a cut end gives the
// octets that are complete. Quoted-printable: a "=" that begins no valid escape stays; white space at line ends is
// removed (§6.7 (3)); line ends stay as they are. Other encodings pass through. Output stops growing at `max_output`.
class transfer_decoder {
 public:
  explicit transfer_decoder(transfer_encoding encoding, std::size_t max_output = std::numeric_limits<std::size_t>::max()) noexcept
      : encoding_(encoding), room_(max_output) {}

  // False once max_output is reached; more input is then ignored.
  bool append(std::string& out, std::string_view input);
  // What was held back at the end of the input.
  void finish(std::string& out);

 private:
  void append_base64(std::string& out, std::string_view input);
  void append_quoted_printable(std::string& out, std::string_view input);
  bool take(std::string& out, std::string_view octets);

  transfer_encoding encoding_;
  std::size_t room_;
  std::uint32_t bits_ = 0;  // base64: sextets of an unfinished quantum
  unsigned sextets_ = 0;
  std::string held_;        // quoted-printable: white space or an escape whose rest is still to come
};

// The whole of a body, decoded.
std::string decode_body(transfer_encoding encoding, std::string_view body,
                        std::size_t max_output = std::numeric_limits<std::size_t>::max());
inline std::string decode_base64(std::string_view text) { return decode_body(transfer_encoding::base64, text); }
inline std::string decode_quoted_printable(std::string_view text) {
  return decode_body(transfer_encoding::quoted_printable, text);
}

// Lines of 76 characters, each ended by CRLF.
std::string encode_base64_lines(std::string_view octets);
// Lines of at most 76 characters; CRLF and LF in the input are line ends, other controls are escaped.
std::string encode_quoted_printable(std::string_view text);

}  // namespace briefwerk::mail

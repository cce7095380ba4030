#pragma once

// The octets between 354 and the final dot (RFC 5321 §4.1.1.4, §4.5.2): dot-unstuffing and its inverse. Both hand out
// views of their input in the largest runs that need no change, keep a few bits of state, and may be cut anywhere.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace briefwerk::protocol::smtp {

// RFC 5321 §2.3.8: lines end in CRLF only, and only <CRLF>.<CRLF> ends the message. Bare CR and bare LF are passed on as
// text and reported: the server refuses such a message, since some next hop may see an end in it.
class data_decoder {
 public:
  struct piece {
    std::string_view text;     // message octets, in the input or static; may be empty
    std::size_t consumed = 0;  // octets of the input that are done with
    bool end = false;          // the final dot was read; what is left of the input are commands
  };

  // Call until all input is consumed or `end`.
  piece next(std::string_view input) noexcept;

  bool has_bare_line_end() const noexcept { return bare_; }
  void restart() noexcept { *this = data_decoder(); }

  // As next() for BDAT without BODY=BINARYMIME (RFC 3030 §2, §3): no dots, no end, the same rule for line ends.
  void check_lines(std::string_view input) noexcept;
  void finish_lines() noexcept { bare_ = bare_ || state_ == state::cr; }  // a message that ends in CR

 private:
  enum class state : std::uint8_t { line_start, text, cr, dot, dot_cr };
  state state_ = state::line_start;
  bool bare_ = false;
};

// The client's side: stuffs dots, and sends no octet sequence that some server might take for an end: bare CR and bare
// LF become CRLF, NUL is left out (RFC 5322 §4: must not be generated).
class data_encoder {
 public:
  struct piece {
    std::string_view wire;     // octets for the wire, in the input or static; may be empty
    std::size_t consumed = 0;
  };

  // Call until all input is consumed.
  piece next(std::string_view input) noexcept;

  // The end of the message: completes the last line if it has no CRLF, and the final dot. Ready for the next message.
  std::string_view finish() noexcept;

 private:
  enum class state : std::uint8_t { line_start, text, cr };
  state state_ = state::line_start;
};

}  // namespace briefwerk::protocol::smtp

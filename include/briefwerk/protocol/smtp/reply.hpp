#pragma once

// SMTP replies as values: code (RFC 5321 §4.2), enhanced status code (RFC 2034, RFC 3463) and text; their wire form;
// the named replies of the server; and the bounded parser of the client.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "briefwerk/base/result.hpp"

namespace briefwerk::protocol::smtp {

// RFC 3463 §2: class "." subject "." detail. All zero: none.
struct enhanced_code {
  std::uint16_t category = 0;  // 2, 4 or 5
  std::uint16_t subject = 0;   // 0 to 999
  std::uint16_t detail = 0;    // 0 to 999

  constexpr explicit operator bool() const noexcept { return category != 0; }
  constexpr bool operator==(const enhanced_code&) const = default;
  std::string to_string() const;  // "5.7.1"; empty for none
  // The code at the beginning of `text`, which must be followed by a space or the end (RFC 2034 §4); `length` gets its size.
  static std::optional<enhanced_code> parse_prefix(std::string_view text, std::size_t& length) noexcept;
};

// The text of a reply: a string literal, not copied, or an owned string. Lines are separated by LF.
class reply_text {
 public:
  constexpr reply_text() noexcept = default;
  template <std::size_t Size>
  consteval reply_text(const char (&literal)[Size]) : value_(std::string_view(literal, Size - 1)) {}
  reply_text(std::string text) : value_(std::move(text)) {}

  constexpr std::string_view view() const noexcept {
    if (const auto* literal = std::get_if<std::string_view>(&value_)) return *literal;
    return *std::get_if<std::string>(&value_);
  }

 private:
  std::variant<std::string_view, std::string> value_;
};

struct reply {
  int code = 0;  // 200 to 599; 0: no reply
  enhanced_code status;
  reply_text text;

  constexpr bool is_positive() const noexcept { return code >= 200 && code < 300; }
  constexpr bool is_intermediate() const noexcept { return code >= 300 && code < 400; }
  constexpr bool is_accepting() const noexcept { return code >= 200 && code < 400; }
  constexpr bool is_transient() const noexcept { return code >= 400 && code < 500; }
  constexpr bool is_permanent() const noexcept { return code >= 500 && code < 600; }
  // Equality of everything that goes over the wire.
  friend constexpr bool operator==(const reply& a, const reply& b) noexcept {
    return a.code == b.code && a.status == b.status && a.text.view() == b.text.view();
  }
  std::string to_string() const;  // "550 5.1.1 text", lines joined by " / ": for logs and reports
};

// Appends the wire form with CRLF: every line carries code and enhanced code (RFC 2034 §4), lines longer than
// limits::smtp_reply_line are continued on the next. Control characters in the text become "?": nothing that
// a peer sent can add a line to a reply. So do octets above 127 unless `utf8` (RFC 6531 §3.7.4.2).
void append_reply(std::string& out, const reply& value, bool utf8 = false);

// The named replies of the server machine. An embedder may answer with these or with its own.
namespace replies {

// RFC 5321 §4.2.3
inline constexpr reply ok{250, {2, 0, 0}, "OK"};
inline constexpr reply sender_ok{250, {2, 1, 0}, "Sender OK"};
inline constexpr reply recipient_ok{250, {2, 1, 5}, "Recipient OK"};
inline constexpr reply queued{250, {2, 6, 0}, "Message accepted"};
inline constexpr reply start_data{354, {}, "End data with <CRLF>.<CRLF>"};
inline constexpr reply bye{221, {2, 0, 0}, "Bye"};
inline constexpr reply help{214, {2, 0, 0}, "See RFC 5321"};
inline constexpr reply cannot_verify{252, {2, 5, 0}, "Cannot verify; try sending to it"};

// Syntax and sequence, RFC 5321 §4.2.4 and §4.3.2, RFC 3463 §3.6
inline constexpr reply line_too_long{500, {5, 5, 2}, "Line too long"};                            // RFC 5321 §4.5.3.1.9
inline constexpr reply bare_line_end{500, {5, 5, 2}, "Lines end in CRLF; bare CR or LF refused"};  // RFC 5321 §2.3.8
inline constexpr reply unknown_command{500, {5, 5, 1}, "Command unknown"};
inline constexpr reply not_implemented{502, {5, 5, 1}, "Command not implemented"};
inline constexpr reply bad_syntax{501, {5, 5, 4}, "Syntax error in arguments"};
inline constexpr reply no_arguments_allowed{501, {5, 5, 4}, "This command takes no arguments"};
inline constexpr reply bad_sequence{503, {5, 5, 1}, "Bad sequence of commands"};
inline constexpr reply hello_first{503, {5, 5, 1}, "Send EHLO first"};
inline constexpr reply mail_first{503, {5, 5, 1}, "Send MAIL first"};
inline constexpr reply nested_mail{503, {5, 5, 1}, "A transaction is open; send RSET first"};
inline constexpr reply no_valid_recipients{554, {5, 5, 1}, "No valid recipients"};                // RFC 5321 §3.3
inline constexpr reply unknown_parameter{555, {5, 5, 4}, "Parameter not recognised or not allowed"};  // RFC 5321 §4.1.1.11
inline constexpr reply bad_parameter{501, {5, 5, 4}, "Bad parameter value"};
inline constexpr reply bad_sender_syntax{501, {5, 1, 7}, "Bad sender address syntax"};             // RFC 3463 §3.2
inline constexpr reply bad_recipient_syntax{501, {5, 1, 3}, "Bad recipient address syntax"};      // RFC 3463 §3.2
inline constexpr reply non_ascii_address{553, {5, 6, 7}, "This address needs SMTPUTF8"};          // RFC 6531 §3.5
inline constexpr reply too_many_bad_commands{421, {4, 7, 0}, "Too many errors"};                  // RFC 5321 §4.3.2
inline constexpr reply no_service{554, {5, 3, 2}, "No service here"};                             // RFC 5321 §3.1
inline constexpr reply no_service_here{503, {5, 5, 1}, "No service here; send QUIT"};                // RFC 5321 §3.1
inline constexpr reply shutting_down{421, {4, 3, 2}, "Service is going down"};                    // RFC 5321 §3.8
inline constexpr reply timed_out{421, {4, 4, 2}, "Waited too long"};                              // RFC 5321 §4.5.3.2

// Transaction
inline constexpr reply too_many_recipients{452, {4, 5, 3}, "Too many recipients"};                // RFC 5321 §4.5.3.1.10
inline constexpr reply too_many_transactions{421, {4, 7, 0}, "Too many messages on this connection"};  // RFC 9422 MAILMAX
inline constexpr reply message_too_big{552, {5, 3, 4}, "Message exceeds the size limit"};         // RFC 1870 §6
inline constexpr reply bare_line_end_in_message{
    550, {5, 6, 0}, "Message has a bare CR or LF; lines end in CRLF"};                            // RFC 5321 §2.3.8
inline constexpr reply binary_needs_bdat{503, {5, 5, 1}, "BODY=BINARYMIME needs BDAT"};           // RFC 3030 §3
inline constexpr reply bdat_then_data{503, {5, 5, 1}, "DATA cannot follow BDAT"};                 // RFC 3030 §2
inline constexpr reply bdat_failed{503, {5, 5, 1}, "An earlier chunk was refused; send RSET"};    // RFC 3030 §2
inline constexpr reply chunk_received{250, {2, 0, 0}, "Chunk received"};
inline constexpr reply local_error{451, {4, 3, 0}, "Local error, try again later"};
inline constexpr reply no_space{452, {4, 3, 1}, "No space, try again later"};

// STARTTLS, RFC 3207 §4
inline constexpr reply ready_for_tls{220, {2, 0, 0}, "Ready to start TLS"};
inline constexpr reply tls_required{530, {5, 7, 0}, "Must issue a STARTTLS command first"};
inline constexpr reply tls_already{503, {5, 5, 1}, "TLS is already active"};

// AUTH, RFC 4954 §4 and §6
inline constexpr reply auth_ok{235, {2, 7, 0}, "Authentication successful"};
inline constexpr reply auth_required{530, {5, 7, 0}, "Authentication required"};
inline constexpr reply auth_needs_tls{538, {5, 7, 11}, "Encryption required for authentication"};
inline constexpr reply auth_unknown_mechanism{504, {5, 5, 4}, "Mechanism not offered"};
inline constexpr reply auth_bad_base64{501, {5, 5, 2}, "Not base64"};
inline constexpr reply auth_cancelled{501, {5, 7, 0}, "Authentication cancelled"};
inline constexpr reply auth_line_too_long{500, {5, 5, 6}, "Authentication line too long"};
inline constexpr reply auth_failed{535, {5, 7, 8}, "Authentication failed"};
inline constexpr reply auth_unavailable{454, {4, 7, 0}, "Authentication is temporarily not available"};
inline constexpr reply auth_already{503, {5, 5, 1}, "Already authenticated"};
inline constexpr reply auth_too_many{421, {4, 7, 0}, "Too many failed authentications"};

// For handlers
inline constexpr reply no_such_user{550, {5, 1, 1}, "No such user"};                              // RFC 3463 §3.2
inline constexpr reply relay_denied{550, {5, 7, 1}, "Relaying denied"};                           // RFC 3463 §3.8
inline constexpr reply sender_denied{550, {5, 7, 1}, "Not allowed to send as this address"};      // RFC 6409 §6.1
inline constexpr reply author_denied{550, {5, 7, 1}, "From or Sender is an address that this account may not use"};  // RFC 6409 §6.1
inline constexpr reply mailbox_full{452, {4, 2, 2}, "Mailbox full"};                              // RFC 3463 §3.3
inline constexpr reply routing_loop{554, {5, 4, 6}, "Too many hops"};                             // RFC 5321 §6.3

// Outcomes that the client machine gives without the server's word.
inline constexpr reply connection_lost{451, {4, 4, 2}, "Connection lost"};                        // RFC 3463 §3.5
inline constexpr reply protocol_error{451, {4, 5, 0}, "The server's replies cannot be followed"}; // RFC 3463 §3.6
inline constexpr reply tls_not_offered{451, {4, 7, 10}, "TLS is required and not offered"};       // RFC 8689 §4.2.1 names 7.10
inline constexpr reply tls_refused{454, {4, 7, 0}, "The server refused STARTTLS"};                // RFC 3207 §4
inline constexpr reply smtputf8_not_offered{553, {5, 6, 7}, "The server does not offer SMTPUTF8"}; // RFC 6531 §3.5
inline constexpr reply requiretls_not_offered{550, {5, 7, 30}, "The server does not offer REQUIRETLS"};  // RFC 8689 §4.2.1
inline constexpr reply conversion_needed{554, {5, 6, 3}, "The server cannot take this kind of body"};    // RFC 6152 §3
inline constexpr reply too_big_for_server{552, {5, 3, 4}, "Message exceeds the server's size limit"};    // RFC 1870 §6.1
inline constexpr reply unsendable_address{553, {5, 1, 3}, "Address cannot be written in SMTP"};

}  // namespace replies

// The client's reply parser. Bounded: a line longer than limits::smtp_reply_line is cut, a reply of more than
// limits::smtp_reply_lines lines is errc::limit_exceeded. Holds at most one reply.
class reply_parser {
 public:
  // Consumes octets up to the end of one reply. Returns how many it took; with complete() a reply stands ready.
  // errc::malformed: no code, or lines of one reply differ in it (RFC 5321 §4.2.1). A parser that failed stays so.
  base::result<std::size_t> feed(std::string_view input);
  bool complete() const noexcept { return complete_; }
  // The reply: an enhanced code that fits the reply's class is taken out of every line. Ready for the next one after.
  reply take();
  // As feed() and take() for EHLO answers, whose lines are keywords: enhanced codes are left where they stand.
  reply take_raw();

 private:
  base::status end_of_line();
  reply take(bool strip);

  std::string line_;
  std::string text_;
  std::size_t lines_ = 0;
  int code_ = 0;
  bool complete_ = false;
  bool failed_ = false;
};

}  // namespace briefwerk::protocol::smtp

#pragma once

// The milter protocol, version 6: packets between a mail server and a filter, as libmilter of Sendmail 8.14 and later
// has them (mfdef.h, mfapi.h). A packet is its length (4 octets, big-endian, of what follows), one octet that says what
// it is, and data; strings in it end in an octet 0.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "briefwerk/base/result.hpp"
#include "briefwerk/mail/message_edit.hpp"

namespace briefwerk::protocol::milter {

inline constexpr std::uint32_t newest_version = 6;
inline constexpr std::uint32_t oldest_version = 2;

// What the server says. (SMFIC_…)
enum class command : char {
  abort = 'A',
  body = 'B',
  connect = 'C',
  macros = 'D',
  end_of_body = 'E',
  hello = 'H',
  quit_for_new = 'K',  // the connection stays for another session
  header = 'L',
  mail = 'M',
  end_of_header = 'N',
  negotiate = 'O',
  quit = 'Q',
  rcpt = 'R',
  data = 'T',
  unknown = 'U',
};

// What the milter may do (SMFIF_…), a set of bits.
namespace actions {
inline constexpr std::uint32_t add_header = 0x1, change_body = 0x2, add_recipient = 0x4, remove_recipient = 0x8,
                               change_header = 0x10, quarantine = 0x20, change_sender = 0x40,
                               add_recipient_parameters = 0x80, symbol_list = 0x100;
inline constexpr std::uint32_t all = 0x1ff;
}  // namespace actions

// How they talk (SMFIP_…), a set of bits. no_: the milter does not want to hear of it; silent_: it hears of it and does
// not answer.
namespace steps {
inline constexpr std::uint32_t no_connect = 0x1, no_hello = 0x2, no_mail = 0x4, no_rcpt = 0x8, no_body = 0x10,
                               no_headers = 0x20, no_end_of_header = 0x40, silent_header = 0x80, no_unknown = 0x100,
                               no_data = 0x200, skip = 0x400, refused_recipients = 0x800, silent_connect = 0x1000,
                               silent_hello = 0x2000, silent_mail = 0x4000, silent_rcpt = 0x8000, silent_data = 0x10000,
                               silent_unknown = 0x20000, silent_end_of_header = 0x40000, silent_body = 0x80000,
                               leading_space = 0x100000, data_256k = 0x10000000, data_1m = 0x20000000;
}  // namespace steps

// Where macros are sent, as a list of symbols numbers them (SMFIM_…).
enum class stage : std::uint8_t { connect, hello, mail, rcpt, data, end_of_body, end_of_header };
inline constexpr std::size_t stage_count = 7;

struct offer {
  std::uint32_t version = newest_version, actions = actions::all, steps = 0;
};

using symbol_list = std::vector<std::string>;  // "i", "{auth_type}"

struct agreement {
  std::uint32_t version = newest_version, actions = 0, steps = 0;
  std::array<std::optional<symbol_list>, stage_count> symbols{};  // of a stage that the milter wants others for
  // Octets of a piece of the body.
  std::size_t piece_size() const noexcept;
  bool has(std::uint32_t step) const noexcept { return (steps & step) != 0; }
};

// Writing. Octets 0 inside strings end them there.

void append_packet(std::string& out, command what, std::string_view data = {});
void append_strings(std::string& out, command what, std::span<const std::string_view> strings);
void append_offer(std::string& out, const offer& made);

// Family: '4', '6', 'L' (a path) or 'U' (nothing is known; no port and address then).
struct connect_data {
  std::string_view host;
  char family = 'U';
  std::uint16_t port = 0;
  std::string_view address;
};
void append_connect(std::string& out, const connect_data& from);

struct macro {
  std::string_view name, value;  // as in a list of symbols
};
// Macros stand before the command that they belong to.
void append_macros(std::string& out, command before, std::span<const macro> macros);

// Reading.

struct packet {
  char what = 0;
  std::string_view data;
};

// Bounded by limits::milter_packet.
class packet_reader {
 public:
  void feed(std::string_view octets);
  // The next packet, whose data lives until the next call; nothing: octets are missing. errc::limit_exceeded; errc::malformed
  // where it is empty. A reader that failed stays so.
  base::result<std::optional<packet>> next();
  bool empty() const noexcept { return begin_ == octets_.size(); }

 private:
  std::string octets_;
  std::size_t begin_ = 0;
  std::error_code failed_;
};

// What the milter agreed to. errc::unsupported: it asks for what was not offered, or for another version.
base::result<agreement> parse_agreement(const packet& from, const offer& made);

enum class answer_kind : std::uint8_t {
  proceed,            // go on
  accept,             // no more of this message (or session) has to be shown
  discard,
  reject,
  defer,              // tempfail
  reply,              // reject or defer with words of its own
  skip,               // no more of the body has to be shown
  shut_down,          // 421 for the client
  connection_failed,  // the same, as if the network had failed
  progress,           // still at work
  quarantine,         // text: why
  edit,
  body,               // a piece of the new body
  symbols,
};

struct answer {
  answer_kind what = answer_kind::proceed;
  int code = 0;                  // reply: 400 to 599
  std::string enhanced{};        // reply: "5.7.1", or empty
  std::string text{};            // reply, lines separated by LF; quarantine: why. Printable, or UTF-8
  mail::message_edit edit{};     // edit
  std::string_view octets{};     // body; lives as long as the packet
  milter::stage at{};            // symbols
  symbol_list symbols{};
};

// errc::malformed for what is no answer, errc::limit_exceeded. Whether it fits the moment is for the session to say.
base::result<answer> parse_answer(const packet& from);

}  // namespace briefwerk::protocol::milter

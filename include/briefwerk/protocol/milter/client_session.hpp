#pragma once

// The server's side of one connection to a milter, without a socket: it is told what happens in an SMTP session,
// writes what the milter is to hear of it, and reads the answers. The driver (server::make_milter_stage) is a loop:
//
//   if (session.mail(out, sender, parameters, macros)) { write(out); while (!(said = session.next())) session.feed(read()); }
//
// Events that the milter declined, or said it would not answer, answer false: there is nothing to wait for. What they
// wrote may wait for later octets.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/protocol/milter/packet.hpp"

namespace briefwerk::protocol::milter {

struct client_options {
  std::uint64_t body_size = base::limits::message_size;  // octets of a replaced body
};

// The value of a macro, "i" or "{auth_type}"; nothing where there is none now.
using macro_source = std::function<std::optional<std::string>(std::string_view name)>;

// What a milter made of a message, beside its last answer.
struct modifications {
  std::vector<mail::message_edit> edits{};
  std::optional<std::string> quarantine{};  // why
};

// Not thread-safe. After an error the connection is of no more use.
class client_session {
 public:
  explicit client_session(client_options options = {}) : options_(options) {}

  // Events, in the order of the protocol. True: next() has to give the answer before another event.
  bool negotiate(std::string& out);
  bool connect(std::string& out, const connect_data& from, const macro_source& macros);
  bool hello(std::string& out, std::string_view name, const macro_source& macros);
  // `address` without brackets; parameters as "SIZE=100".
  bool mail(std::string& out, std::string_view address, std::span<const std::string> parameters, const macro_source& macros);
  bool rcpt(std::string& out, std::string_view address, std::span<const std::string> parameters, const macro_source& macros);
  bool data(std::string& out, const macro_source& macros);
  // `value`: all that stands behind the colon, with lines that end in LF or CRLF.
  bool header(std::string& out, std::string_view name, std::string_view value);
  bool end_of_header(std::string& out, const macro_source& macros);
  // At most agreed().piece_size() octets.
  bool body(std::string& out, std::string_view piece);
  bool end_of_body(std::string& out, const macro_source& macros);
  bool unknown(std::string& out, std::string_view line);
  void abort(std::string& out);  // the message is not to be
  void quit(std::string& out);

  bool wants_headers() const noexcept { return !agreed_.has(steps::no_headers); }
  bool wants_body() const noexcept { return !agreed_.has(steps::no_body); }
  const agreement& agreed() const noexcept { return agreed_; }

  void feed(std::string_view octets) { reader_.feed(octets); }
  // The answer to the last event, one of proceed, accept, discard, reject, defer, reply, skip, shut_down and
  // connection_failed; nothing: octets are missing. Errors: as of parse_answer(), errc::unsupported for an answer that
  // does not fit the moment or the agreement.
  base::result<std::optional<answer>> next();
  // Of the message that ended; empty then.
  modifications take_modifications();

 private:
  enum class moment : std::uint8_t { idle, negotiation, event, body, end_of_body };

  bool await(moment now, std::uint32_t silent);
  bool declined(std::uint32_t step) const noexcept { return agreed_.has(step); }
  void append_macros_of(std::string& out, stage at, command before, const macro_source& macros) const;
  base::status gather(answer& said);
  base::status gather_edit(mail::message_edit edit);
  bool may(const answer& said) const noexcept;
  base::result<std::optional<answer>> take(const packet& from);

  client_options options_;
  packet_reader reader_;
  offer offer_;
  agreement agreed_;
  moment now_ = moment::idle;
  modifications found_;
  std::optional<std::string> new_body_;
  std::size_t edit_octets_ = 0;
  bool out_of_step_ = false;
};

}  // namespace briefwerk::protocol::milter

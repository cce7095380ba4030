#pragma once

// The IMAP server machine: lines and literals, states, order of commands, tagged answers. No socket, no clock, no thread.
//
// A driver looks like this; `buffer` is the driver's receive buffer and free again at each need_bytes:
//
//   imap::server_session session(options);            // options outlive the session
//   if (implicit_tls) session.tls_started();
//   for (;;) {
//     auto step = session.next();
//     if (auto* out = std::get_if<imap::write>(&step)) {
//       ec = co_await stream.write(out->pieces);
//     } else if (auto* need = std::get_if<imap::need_bytes>(&step)) {
//       // need->idling: the client waits in IDLE. Wait for octets or for news of the mailbox; news are written to
//       // session.output(), and next() is called without feed(): it yields write, then need_bytes again.
//       auto got = co_await stream.read_some(buffer);  // time-out: session.abort("", "Idle for too long"), then go on
//       session.feed(*got);                            // the view is used until the next need_bytes
//     } else if (auto* q = std::get_if<imap::ask>(&step)) {
//       co_await std::visit(answer, q->question);      // ends in session.complete(…), or as the question says
//     } else if (auto* data = std::get_if<imap::message_data>(&step)) {
//       message.append(data->bytes);                   // or session.complete(no, …): the rest is read and dropped
//     } else if (std::holds_alternative<imap::drop_message>(step)) {
//       messages.clear();                              // all pieces so far
//     } else if (std::holds_alternative<imap::start_tls>(step)) {
//       ec = co_await stream.start_tls();              // what was read and not yet fed is thrown away by the driver
//       session.tls_started();
//     } else if (std::holds_alternative<imap::start_compression>(step)) {
//       stream.compress();                             // after UNAUTHENTICATE is answered this ends again
//     } else {
//       co_return;                                     // close
//     }
//   }
//
// Answering a question: write untagged responses to session.output(), then call complete() exactly once. A long answer may
// be sent in portions: while (session.output().size() > 64k) write(session.take_output()). State changes are told before
// complete(): authenticated(), selected(), unselected(). Commands run one after the other; pipelined ones wait.
//
// CAPABILITY, LOGOUT, STARTTLS, COMPRESS and ENABLE are answered by the session and never asked.
//
// SELECT and EXAMINE while a mailbox is selected: the session has already left it when it asks (and says so, RFC 9051
// §7.1 CLOSED); the driver drops its view of the old mailbox first, without expunging.
//
// Views inside a step live until the next call of next(), feed(), complete() or another member that answers.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/protocol/imap/capability.hpp"
#include "briefwerk/protocol/imap/command.hpp"
#include "briefwerk/protocol/imap/parser.hpp"
#include "briefwerk/protocol/imap/response_code.hpp"
#include "briefwerk/protocol/imap/response_writer.hpp"

namespace briefwerk::protocol::imap {

// Questions.
//
// A command: answer with complete(). Never one that the session answers itself. idle_command: continue_idle() instead
// lets the client wait; complete(no, …) refuses.
struct command_question {
  imap::command command;
};
// AUTHENTICATE. The first question of an exchange has `first` set. Answer with challenge(), or with authenticated() and
// complete(ok, …), or complete(no, codes::authentication_failed, …). When the mechanism has data to send with success
// (RFC 4422 §5), send them by challenge(); the next question brings the empty response.
struct auth_question {
  std::string_view mechanism;                 // as in server_options::mechanisms
  bool first = true;
  std::optional<std::string_view> response;   // decoded; nothing: no initial response was given
};
// The client cancelled ("*"), or sent what is not base64: forget the exchange. No answer; the session wrote BAD.
struct auth_cancelled {};
// APPEND or REPLACE, before the octets of a message. accept_message(): message_data steps follow; complete(no, …) refuses
// the whole command. Size and form are within the limits.
struct append_begin {
  append_piece piece;
  std::uint64_t size = 0;                     // 0 where the message is catenated: not known yet
  bool first = true;                          // false: a further message of the same command (MULTIAPPEND)
};
// A part of a catenated message that the driver has to find (RFC 4469): append its octets to the message under way and
// accept_part(), or complete(no, codes::bad_url(url), …). The parts together are for the driver to bound.
struct append_url {
  std::string_view url;
};
// All messages are here; store them together and complete(): ok with codes::append_uid.
struct append_end {
  std::size_t count = 0;
};
// DONE ended an accepted IDLE: write what is new, then complete(ok, "", "…").
struct idle_end {};

using question = std::variant<command_question, auth_question, auth_cancelled, append_begin, append_url, append_end,
                              idle_end>;

// Steps.
struct need_bytes {
  bool idling = false;
  // No command is under way: untagged responses may be written to output(), as in IDLE (RFC 5465).
  bool between = false;
};
struct write {
  std::span<const std::string_view> pieces;   // never empty
};
struct start_tls {};
struct start_compression {};                  // DEFLATE in both directions, from here on (RFC 4978)
struct message_data {
  std::string_view bytes;                     // together exactly append_begin::size octets, where that is known
};
struct drop_message {};                       // the APPEND failed after append_begin was accepted
struct ask {
  imap::question question;
};
enum class close_reason : std::uint8_t { logout, aborted, too_many_bad_commands, too_many_auth_failures, literal_too_big };
struct close {
  close_reason reason = close_reason::logout;
};

using step = std::variant<need_bytes, write, start_tls, start_compression, message_data, drop_message, ask, close>;

enum class session_state : std::uint8_t { not_authenticated, authenticated, selected, logout };
enum class condition : std::uint8_t { ok, no, bad };

class server_session {
 public:
  explicit server_session(const server_options& options);
  ~server_session();
  server_session(server_session&&) = delete;

  step next();
  // Octets from the peer; only after need_bytes. The view must stay valid until the next need_bytes.
  void feed(std::string_view bytes) noexcept;

  // Answers. `code` is what stands in brackets (response_code.hpp), or "". OK after a login gets a CAPABILITY code by
  // itself where `code` is empty. complete() may also be called between append_begin and append_end, to refuse.
  void complete(condition how, std::string_view code, std::string_view text);
  void challenge(std::string_view data);      // raw; the session encodes it
  void continue_idle();
  void accept_message();
  void accept_part();

  // Told by the driver, before complete().
  void authenticated() noexcept;              // also for PREAUTH, before the first next()
  void selected(bool read_only) noexcept;
  void unselected() noexcept;
  void tls_started() noexcept;                // octets fed before are forgotten

  // Writes "* BYE [code] text" and closes. In place of any answer or feed().
  void abort(std::string_view code, std::string_view text);

  // For untagged responses: while a question is open, and while the client idles.
  response_writer& output() noexcept { return out_; }
  // What was written so far, to be sent at once; empty when there is nothing. Valid until the next take_output(),
  // output_sent() or next().
  std::span<const std::string_view> take_output();
  // What was taken has gone: its memory serves what is written next, where nothing is written yet.
  void output_sent() noexcept;

  session_state state() const noexcept { return state_; }
  bool is_read_only() const noexcept { return read_only_; }
  bool is_tls() const noexcept { return tls_; }
  bool is_compressed() const noexcept { return compressed_; }
  bool is_idling() const noexcept { return phase_ == phase::idling; }
  bool is_rev2() const noexcept { return rev2_; }            // ENABLE IMAP4rev2 was given
  bool is_utf8() const noexcept { return out_.is_utf8(); }
  bool is_condstore() const noexcept { return condstore_; }  // ENABLE CONDSTORE or QRESYNC
  bool is_qresync() const noexcept { return qresync_; }
  bool is_uid_only() const noexcept { return uid_only_; }    // ENABLE UIDONLY (RFC 9586)
  std::string_view tag() const noexcept { return tag_; }     // of the command that is asked about
  std::size_t bad_commands() const noexcept { return bad_commands_; }
  const server_options& options() const noexcept { return options_; }

 private:
  enum class phase : std::uint8_t {
    commands,      // reading a command
    auth,          // reading a response of AUTHENTICATE
    idling,        // reading DONE
    message,       // octets of an accepted message
    message_end,   // the line after a message literal
    append_steps,  // what the arguments of APPEND say, one after the other
    skipping,      // the rest of a command that was refused
    tls_wait,
    compression_wait,
    closing,
    closed
  };
  enum class asked : std::uint8_t { nothing, execution, login, idle, auth, unauthenticate, append_begin,
                                     append_url, append_end, idle_end };
  enum class line_end : std::uint8_t { incomplete, complete, too_long, bare };
  struct work;     // what only a command under way needs; given back when the session waits for a new one
  struct refusal {
    condition how = condition::bad;
    std::string_view code, text;
  };

  // Reading. Nothing: go on in the phase that is then set.
  std::optional<step> proceed();
  std::optional<step> read_command();
  std::optional<step> read_auth();
  std::optional<step> read_idle();
  std::optional<step> read_message();
  std::optional<step> read_message_end();
  std::optional<step> skip();
  line_end read_line(std::size_t limit);
  bool read_literal();
  step wait();
  step write_out();

  std::optional<step> at_literal(const literal_mark& mark);
  std::optional<step> read_append(std::string_view text, const literal_mark* mark, bool by_uid);
  std::optional<step> next_append_step();
  std::optional<step> collect_literal(const literal_mark& mark);
  std::optional<refusal> check_literal(const literal_mark& mark, std::uint64_t already, std::uint64_t limit) const;
  std::optional<refusal> check_append(const append_arguments& parsed, const literal_mark* mark) const;
  std::optional<refusal> check_size(const literal_mark& mark) const;
  std::optional<refusal> check_legal(const command_head& head) const;
  std::optional<refusal> check_offered(const imap::command& parsed) const;

  // Running.
  std::optional<step> run_line();
  std::optional<step> run(const imap::command& parsed);
  std::optional<step> run_authenticate(const authenticate_command& auth);
  void run_enable(const enable_command& enable);
  void run_starttls();
  void run_compress(const compress_command& compress);
  void run_logout();
  void note_condstore(const imap::command& parsed);
  std::optional<step> ask_auth(bool first, std::optional<std::string_view> base64);
  step put_question(asked kind, imap::question about);

  // Answering.
  void tagged(condition how, std::string_view code, std::string_view text);
  void refuse(const refusal& why);
  void refuse(std::error_code why);
  void refuse_after(const refusal& why, std::uint64_t octets);
  void refuse_literal(const literal_mark& mark, const refusal& why);
  void refuse_line(std::string_view text);
  void end_command();
  void forget_login() noexcept;
  void bye(std::string_view code, std::string_view text, close_reason why);
  void put_greeting();
  bool may_login() const noexcept { return tls_ || options_.login_without_tls; }
  bool in_state(std::uint8_t states) const noexcept;
  work& working();

  const server_options& options_;
  response_writer out_;            // collected
  output_chain writing_;           // what the last write step shows
  std::string_view input_;         // fed and not yet used
  std::unique_ptr<work> work_;
  std::string tag_ = "*";

  std::uint64_t octets_left_ = 0;  // of the literal under way
  std::size_t messages_ = 0;       // accepted pieces of the APPEND under way
  append_place append_place_ = append_place::mailbox;  // where its arguments go on
  std::size_t bad_commands_ = 0, auth_failures_ = 0;

  phase phase_ = phase::commands;
  asked asked_ = asked::nothing;
  session_state state_ = session_state::not_authenticated;
  close_reason close_reason_ = close_reason::logout;
  std::uint8_t mechanism_ = 0;     // of the exchange under way, index in options_.mechanisms
  bool greeted_ = false, tls_ = false, compressed_ = false, read_only_ = false, rev2_ = false, condstore_ = false, qresync_ = false,
       uid_only_ = false, utf8_accepted_ = false;
  bool replacing_ = false;         // the APPEND under way is a REPLACE
  bool login_pending_ = false;     // authenticated() was told and the tagged answer is still to come
  bool drop_pending_ = false;      // drop_message is to be shown
  bool cancel_pending_ = false;    // auth_cancelled is to be shown
};

}  // namespace briefwerk::protocol::imap

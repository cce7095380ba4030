#pragma once

// The SMTP, Submission and LMTP server machine: grammar, order of commands, replies. No socket, no clock, no thread.
//
// A driver (server room) looks like this; `buffer` is the driver's receive buffer and free again at each need_bytes:
//
//   smtp::server_session session(options);           // options outlive the session
//   if (implicit_tls) session.tls_started(info);
//   for (;;) {
//     auto step = session.next();
//     if (auto* out = std::get_if<smtp::write>(&step)) {
//       ec = co_await stream.write(out->bytes);
//     } else if (std::holds_alternative<smtp::need_bytes>(step)) {
//       auto got = co_await stream.read(buffer);     // time-out: session.abort(replies::timed_out), then go on
//       session.feed(*got);                          // the view is used until the next need_bytes
//     } else if (auto* data = std::get_if<smtp::message_data>(&step)) {
//       if (!sink.append(data->bytes)) session.refuse_message(replies::no_space);   // no answer needed
//     } else if (std::holds_alternative<smtp::drop_message>(step)) {
//       sink.clear();
//     } else if (auto* q = std::get_if<smtp::ask>(&step)) {
//       co_await std::visit(decide, q->question);    // ends in session.answer(…) or session.accept()
//     } else if (std::holds_alternative<smtp::reset>(step)) {
//       envelope.clear();
//     } else if (std::holds_alternative<smtp::start_tls>(step)) {
//       info = co_await stream.start_tls();          // what was read and not yet fed is thrown away by the driver
//       session.tls_started(info);
//     } else {
//       co_return;                                   // close
//     }
//   }
//
// Message octets come as views of what was fed, in the largest runs that need no change (a run ends where a stuffed
// dot is taken out or the input ends): the sink makes the only copy. Their number is bounded by the size limit.
//
// Views inside a step live until the next call of any member that is not const.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/protocol/smtp/command.hpp"
#include "briefwerk/protocol/smtp/data_decoder.hpp"
#include "briefwerk/protocol/smtp/reply.hpp"
#include "briefwerk/protocol/smtp/steps.hpp"

namespace briefwerk::protocol::smtp {

enum class server_role : std::uint8_t { mx, submission, lmtp };

// Shared by all sessions of a listener.
struct server_options {
  std::string hostname = "localhost";          // domain of the greeting and of the EHLO answer
  std::string greeting = "Briefwerk";          // text after "220 hostname ESMTP"
  server_role role = server_role::mx;
  bool offer_starttls = true;
  bool require_tls = true;                     // 530 5.7.0 before TLS (RFC 3207 §4)
  bool auth_without_tls = false;               // only what an administrator wrote into the configuration
  bool require_auth = false;                   // 530 5.7.0 before AUTH (RFC 4954 §6, RFC 6409 §4.3); set it for submission
  std::vector<std::string> mechanisms;         // offered by AUTH, best first; empty: no AUTH
  std::uint64_t message_size = base::limits::message_size;      // octets; 0: no limit
  std::size_t recipients = base::limits::smtp_recipients;       // of one transaction
  std::size_t transactions = base::limits::smtp_transactions;   // of one connection
  std::size_t bad_commands = base::limits::smtp_bad_commands;   // then 421
  std::size_t auth_failures = base::limits::smtp_auth_failures; // then 421
  extensions offered;
};

// Questions: the driver answers each exactly once, with answer() or accept(), before it calls next().
struct connect_question {};                                  // 220: go on; 554: refuse mail (RFC 5321 §3.1); 421: close
struct hello_question { hello_command hello; };
// RFC 4954. The first question of an exchange has `first` set and replaces an exchange that the peer cancelled.
struct auth_question {
  std::string_view mechanism;                                // as offered in server_options::mechanisms
  bool first = true;
  std::optional<std::string_view> response;                  // decoded; none: the peer gave no initial response
};
struct mail_question { mail_command mail; };                 // grammar, size and TLS rules are satisfied
struct rcpt_question { rcpt_command rcpt; };
// Before the first octet of a message. Accepting opens the sink; message_data steps follow.
struct message_start_question {
  std::size_t recipients = 0;                                // accepted ones
  std::uint64_t declared_size = 0;                           // SIZE= of MAIL; 0: not given
  mail::body_kind body = mail::body_kind::seven_bit;
};
// The message is complete and no rule of the session refused it. Answer after it is durable. LMTP: one reply for each
// accepted recipient in the order of their acceptance (RFC 2033 §4.2), or one for all.
struct message_end_question {
  std::uint64_t size = 0;                                    // octets handed out
  std::size_t recipients = 0;
};
struct verify_question { vrfy_command verify; };             // accept(): 252

using question = std::variant<connect_question, hello_question, auth_question, mail_question, rcpt_question,
                              message_start_question, message_end_question, verify_question>;

// Answers to auth_question besides a reply. Both are used before the call returns.
struct auth_challenge { std::string_view data; };            // raw; the session encodes it
struct auth_success { std::string_view server_data; };       // additional data of the mechanism, or empty

// Steps; need_bytes, write, start_tls and close are in steps.hpp.
struct message_data { std::string_view bytes; };
struct drop_message {};                         // the message will not be accepted: free what the sink holds
// The transaction is gone without a message_end_question. `refusal`: what the peer was told about its message, by a rule
// of the session or by refuse_message(); empty where it gave up itself (RSET, a new greeting, QUIT).
struct reset { std::optional<reply> refusal; };
struct ask { smtp::question question; };

using server_step = std::variant<need_bytes, write, start_tls, message_data, drop_message, reset, close, ask>;

class server_session {
 public:
  explicit server_session(const server_options& options) noexcept;  // options outlive the session
  explicit server_session(server_options&&) = delete;

  // What to do now. Replies are collected (RFC 2920 §3.2) and written when the input is used up, before
  // message_end_question and auth_question, before start_tls and before close. After close: close again.
  server_step next();

  // Octets from the peer; only after need_bytes. The view must stay valid until the next need_bytes step.
  void feed(std::string_view bytes) noexcept;

  // Answers the question of the last step. A reply with 2xx or 3xx accepts, any other refuses; 421 also closes.
  void answer(const reply& decision);
  void answer(const auth_challenge& challenge);
  void answer(const auth_success& success);
  void answer(std::span<const reply> decisions);  // LMTP message end
  void accept();                                  // the named positive reply of the question

  // The message under way is not wanted any more: the rest is read and dropped, then this is the reply. Only between
  // message_start_question and message_end_question; the first refusal stands.
  void refuse_message(const reply& decision);

  // TLS is active from here on. Octets fed before are forgotten, and so is the state (RFC 3207 §4.2).
  void tls_started(tls_info info);

  // Writes this reply (421) and closes: shutting down, or a deadline has passed. In place of feed() or answer().
  void abort(const reply& farewell);

  // Collected replies, for a driver whose answer will take long: it may write them first. Empties the collection.
  std::string take_output() noexcept { return std::exchange(out_, {}); }

  // What the Received field and the log need.
  const std::string& hello_name() const noexcept { return hello_name_; }
  bool is_extended() const noexcept { return extended_; }      // EHLO or LHLO
  bool is_authenticated() const noexcept { return authenticated_; }
  bool is_tls() const noexcept { return tls_.has_value(); }
  const std::optional<tls_info>& tls() const noexcept { return tls_; }
  bool is_smtputf8() const noexcept { return smtputf8_; }      // of the open transaction
  std::size_t recipients() const noexcept { return recipients_; }
  std::size_t bad_commands() const noexcept { return bad_commands_; }
  const server_options& options() const noexcept { return options_; }

 private:
  enum class phase : std::uint8_t {
    commands, data, chunk, message_complete, auth_ask, auth_line, tls_ready, tls_wait, closing, closed
  };
  enum class asked : std::uint8_t { nothing, connect, hello, auth, mail, rcpt, message_start, message_end, verify };
  enum class line_state : std::uint8_t { incomplete, complete, too_long, bare };
  using maybe_step = std::optional<server_step>;  // nothing: go on

  // Lines (server_lines.cpp)
  line_state read_line();
  std::size_t line_limit() const noexcept;
  bool skip_line() noexcept;
  line_state finish_line(std::string_view line) noexcept;
  line_state drop_long_line(std::size_t used) noexcept;

  // Commands (server_commands.cpp)
  maybe_step read_command();
  const reply* refusal_before(const command& parsed) const noexcept;
  maybe_step run(const hello_command& hello);
  maybe_step run(const starttls_command& starttls);
  maybe_step run(const auth_command& auth);
  maybe_step run(const mail_command& mail);
  maybe_step run(const rcpt_command& rcpt);
  maybe_step run(const data_command& data);
  maybe_step run(const bdat_command& bdat);
  maybe_step run(const rset_command& rset);
  maybe_step run(const noop_command& noop);
  maybe_step run(const quit_command& quit);
  maybe_step run(const vrfy_command& vrfy);
  maybe_step run(const expn_command& expn);
  maybe_step run(const help_command& help);
  const reply& no_recipients() const noexcept;
  void answer_mail(const reply& decision);

  // AUTH (server_auth.cpp)
  maybe_step read_auth_line();
  maybe_step ask_auth();
  void answer_auth(const reply& decision);
  void put_challenge(std::string_view data);
  void end_auth() noexcept;
  bool may_authenticate() const noexcept;

  // Messages (server_message.cpp)
  maybe_step read_data();
  maybe_step read_chunk();
  maybe_step end_chunk();
  maybe_step ask_message_start();
  maybe_step ask_message_end();
  const reply* refusal_of(const bdat_command& bdat) const noexcept;
  void answer_message_start(const reply& decision);
  void put_final(const reply& decision);
  void end_message() noexcept;
  void refuse_inside(const reply& named);
  bool exceeds_size(std::uint64_t octets) const noexcept;

  // Replies and state (server_session.cpp)
  server_step flush();
  server_step put_question(asked kind, smtp::question about);
  void put(const reply& value);
  void put_error(const reply& value);  // counts towards bad_commands
  void put_greeting();
  void put_capabilities();
  void answer_hello(const reply& decision);
  void close_with(close_reason why) noexcept;
  void end_transaction() noexcept;
  void abandon_transaction() noexcept;  // the driver hears of it

  const server_options& options_;
  std::string_view input_;        // what was fed and not yet used
  std::string_view line_;         // the line being executed, in what was fed or in partial_; without CRLF
  std::string_view asked_name_;   // of hello_question, in line_
  std::string_view mechanism_;    // of the exchange under way, in options_
  std::string partial_;           // the beginning of a line that was cut; bounded by the line limit
  std::string out_;               // collected replies
  std::string writing_;           // what the last write step shows
  std::string decoded_;           // the response shown by auth_question
  std::string hello_name_;
  std::optional<tls_info> tls_;
  std::optional<reply> refusal_;  // of the message or chunk under way
  data_decoder decoder_;

  std::uint64_t message_octets_ = 0;
  std::uint64_t declared_size_ = 0;
  std::uint64_t chunk_left_ = 0;
  std::size_t recipients_ = 0;
  std::size_t transactions_ = 0;
  std::size_t bad_commands_ = 0;
  std::size_t auth_failures_ = 0;

  phase phase_ = phase::commands;
  asked asked_ = asked::nothing;
  close_reason close_reason_ = close_reason::quit;
  mail::body_kind body_ = mail::body_kind::seven_bit;
  hello_kind asked_hello_ = hello_kind::ehlo;
  bool greeted_ = false;             // the connect question was put
  bool refused_connection_ = false;  // only QUIT is taken (RFC 5321 §3.1)
  bool said_hello_ = false;
  bool extended_ = false;
  bool authenticated_ = false;
  bool first_auth_ = false;          // the next auth_question begins an exchange
  bool has_response_ = false;        // decoded_ holds one
  bool final_auth_ = false;          // success waits for the empty response to its additional data
  bool in_transaction_ = false;
  bool mail_refused_ = false;        // what was pipelined behind a refused MAIL is no error of the peer
  bool smtputf8_ = false;
  bool in_message_ = false;          // message_start_question was accepted and the message is not over
  bool chunking_ = false;            // the message comes by BDAT
  bool chunk_last_ = false;
  bool chunk_failed_ = false;        // a chunk was refused; RSET is due (RFC 3030 §2)
  bool line_in_partial_ = false;     // line_ lies in partial_, which is free after its execution
  bool skipping_line_ = false;       // dropping the rest of a refused line
  bool skipped_cr_ = false;          // … whose last octet so far was a CR
  bool drop_pending_ = false;
  bool reset_pending_ = false;
};

}  // namespace briefwerk::protocol::smtp

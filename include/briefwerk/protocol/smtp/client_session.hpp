#pragma once

// The SMTP and LMTP client machine: greeting, EHLO, STARTTLS, AUTH, any number of messages, QUIT. No socket, no clock.
//
// A driver; deadlines are its own (RFC 5321 §4.5.3.2), see client_session::waiting_for():
//
//   smtp::client_session session(options);
//   for (;;) {
//     auto step = session.next();
//     if (auto* out = std::get_if<smtp::write>(&step)) ec = co_await stream.write(out->bytes);
//     else if (std::holds_alternative<smtp::need_bytes>(step)) session.feed(*co_await stream.read(buffer));
//     else if (std::holds_alternative<smtp::start_tls>(step)) { …handshake…; session.tls_started(); }
//     else if (auto* login = std::get_if<smtp::choose_login>(&step)) session.log_in("PLAIN", initial) or session.skip_login();
//     else if (auto* c = std::get_if<smtp::login_challenge>(&step)) session.respond(…) or session.cancel_login();
//     else if (std::holds_alternative<smtp::ready>(step)) session.send(envelope) or session.quit();
//     else if (std::holds_alternative<smtp::need_message>(step)) session.message(chunk, is_last);
//     else if (std::holds_alternative<smtp::finished>(step)) …session.outcomes()…
//     else break;                                       // close; session.failure() says why, if it was no QUIT
//   }
//   If the connection breaks: session.connection_lost(); every recipient has its outcome then.
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

#include "briefwerk/protocol/smtp/command.hpp"
#include "briefwerk/protocol/smtp/data_decoder.hpp"
#include "briefwerk/protocol/smtp/reply.hpp"
#include "briefwerk/protocol/smtp/steps.hpp"

namespace briefwerk::protocol::smtp {

// What the server's EHLO answer offers. Unknown keywords are ignored (RFC 5321 §4.1.1.1).
struct capabilities {
  bool extended = false;  // EHLO was accepted; false: HELO
  bool pipelining = false;
  bool eightbitmime = false;
  bool smtputf8 = false;
  bool dsn = false;
  bool chunking = false;
  bool binarymime = false;
  bool requiretls = false;
  bool starttls = false;
  bool enhanced_codes = false;
  bool size = false;
  std::uint64_t size_limit = 0;                 // octets; 0: none was named (RFC 1870 §4)
  std::optional<std::uint64_t> rcpt_max;        // LIMITS (RFC 9422)
  std::optional<std::uint64_t> mail_max;
  std::optional<std::uint64_t> rcpt_domain_max;
  std::vector<std::string> mechanisms;          // AUTH, upper case, in the server's order

  // The text of a 250 answer to EHLO, lines separated by LF; the first line is the greeting.
  static capabilities parse(std::string_view text);
};

enum class tls_policy : std::uint8_t {
  never,     // only what an administrator wrote into the configuration
  if_offered,
  required,  // not offered or refused: failure() is 4.7.x, nothing was sent
  active     // TLS stands before the greeting (port 465), or the transport needs none (a Unix socket)
};

struct client_options {
  std::string hostname = "localhost";  // of EHLO: a domain or an address literal
  bool lmtp = false;                   // LHLO, and a final reply for each recipient (RFC 2033)
  tls_policy tls = tls_policy::required;
  bool log_in = false;                 // choose_login is put after EHLO; only inside TLS unless login_without_tls
  bool login_without_tls = false;
  bool prefer_chunking = false;        // BDAT wherever it is offered; else only for BODY=BINARYMIME
  bool require_8bitmime = false;       // refuse to send 8-bit text to a server without it (5.6.3); else send it as it is
  std::size_t rcpt_window = 100;       // RCPT commands sent ahead of their replies, so that neither side's buffers fill
};

// What the envelope does not say about a message.
struct outgoing_details {
  std::optional<std::uint64_t> size;     // octets (RFC 1870), an estimate will do
  std::optional<std::string_view> auth;  // AUTH= of MAIL: xtext or "<>" (RFC 4954 §5)
};

enum class outcome_stage : std::uint8_t { local, connection, hello, tls, login, mail, rcpt, data, end_of_data };
struct recipient_outcome {
  reply answer;                      // 2xx: the server has taken responsibility for this recipient
  outcome_stage stage = outcome_stage::local;
  bool dsn_relayed = false;          // the server offered DSN and got this recipient's parameters (RFC 3461 §5.2)
};

// Steps besides need_bytes, write, start_tls, close.
struct choose_login {                          // log_in() or skip_login()
  std::span<const std::string> mechanisms;
  const reply* last_refusal = nullptr;         // of the attempt before
};
struct login_challenge { std::string_view data; };  // decoded; respond() or cancel_login()
struct ready {};                               // send() or quit()
struct need_message {};                        // message()
struct finished {};                            // outcomes() holds one entry for each recipient, in order

using client_step = std::variant<need_bytes, write, start_tls, choose_login, login_challenge, ready, need_message,
                                 finished, close>;

class client_session {
 public:
  explicit client_session(const client_options& options);  // options outlive the session
  explicit client_session(client_options&&) = delete;

  client_step next();

  void feed(std::string_view bytes) noexcept;  // after need_bytes; valid until the next need_bytes step
  void tls_started();                          // octets fed before are forgotten (RFC 3207 §4.2)

  // Starts an exchange (RFC 4954); nullopt: no initial response. A mechanism that the server did not offer is refused
  // by the server, not here.
  void log_in(std::string_view mechanism, std::optional<std::string_view> initial_response);
  void respond(std::string_view data);
  void cancel_login();
  void skip_login() noexcept;                  // go on without

  // After ready. What the server cannot take (SMTPUTF8, REQUIRETLS, BINARYMIME not offered, too big) gets its outcome
  // without a word on the wire.
  // `envelope` and the views in `details` must stay valid until the finished step.
  void send(const mail::smtp_envelope& envelope, const outgoing_details& details = {});
  // The next octets of the message, in any sizes, CRLF lines, without dot-stuffing. Valid until the next need_message,
  // finished or close step. `last` with the final (possibly empty) chunk.
  void message(std::string_view chunk, bool last) noexcept;
  void quit();
  // The connection broke, or a deadline passed: recipients without an outcome get `why`. Then finished and close.
  void connection_lost(const reply& why = replies::connection_lost);
  // The same, where the connection broke while a message was written: a refusal in what the server had `said`, and nobody
  // read, is the outcome.
  void cut_off(std::string_view said);

  std::span<const recipient_outcome> outcomes() const noexcept { return outcomes_; }
  // Why the session closes or will offer no more than close; nullopt: it does not.
  const std::optional<reply>& failure() const noexcept { return failure_; }
  outcome_stage failure_stage() const noexcept { return failure_stage_; }
  // Of the last EHLO; after TLS the one inside it.
  const capabilities& offered() const noexcept { return offered_; }
  const reply& greeting() const noexcept { return greeting_; }
  // What the next reply belongs to, for the deadlines of RFC 5321 §4.5.3.2.
  outcome_stage waiting_for() const noexcept;
  // To commands that were sent, or are about to be: it falls with each reply, and tells one wait from the next.
  std::size_t replies_due() const noexcept { return in_flight_count(); }
  bool is_tls() const noexcept { return tls_; }

 private:
  // Commands in flight, in the order of their replies (RFC 2920 §3.1).
  enum class expected : std::uint8_t {
    greeting, ehlo, helo, starttls, auth, rset, mail, rcpt, data, chunk, end_of_data, quit
  };
  enum class phase : std::uint8_t { talking, tls_ready, tls_wait, login_choice, challenge, ready, closing, closed };
  // Where the transaction stands.
  enum class progress : std::uint8_t { none, recipients, data_sent, body, over };
  struct in_flight {
    expected what;
    std::size_t recipient = 0;
  };

  // client_session.cpp
  std::optional<client_step> talk();
  void handle_reply();
  void dispatch(const in_flight& about, const reply& got);
  void on_hello(const reply& got, expected what);
  void on_starttls(const reply& got);
  void on_auth(const reply& got);
  void after_hello();
  client_step flush();
  void say(std::string_view line, expected what, std::size_t recipient = 0);
  void put_hello(bool extended);
  void fail(const reply& why, outcome_stage stage);
  bool awaits_reply() const noexcept { return next_reply_ < flight_.size(); }
  std::size_t in_flight_count() const noexcept { return flight_.size() - next_reply_; }

  // client_transaction.cpp
  void on_mail(const reply& got);
  void on_rcpt(const reply& got, std::size_t recipient);
  void on_data(const reply& got);
  void on_chunk(const reply& got);
  void on_end_of_data(const reply& got);
  void pump();
  void pump_recipients();
  void put_mail();
  void put_rcpt(std::size_t index);
  void start_body();
  std::optional<client_step> pump_body();
  void encode_body();
  void put_chunk();
  void await_final_replies();
  void settle(std::size_t recipient, const reply& why, outcome_stage stage);
  void settle_all(const reply& why, outcome_stage stage);
  const reply* local_refusal() const noexcept;

  const client_options& options_;
  std::string_view input_;
  std::string out_;
  std::string writing_;
  std::string_view direct_;           // a large run of the message, written from where it lies
  std::string decoded_;               // the challenge shown by login_challenge
  reply_parser parser_;
  std::vector<in_flight> flight_;
  std::size_t next_reply_ = 0;        // in flight_

  capabilities offered_;
  reply greeting_;
  std::optional<reply> failure_;
  std::optional<reply> login_refusal_;

  const mail::smtp_envelope* envelope_ = nullptr;
  outgoing_details details_;
  std::vector<recipient_outcome> outcomes_;  // code 0: open
  std::vector<std::size_t> accepted_;        // recipients with 2xx, in order; LMTP's final replies follow it
  std::size_t next_rcpt_ = 0;
  std::size_t next_final_ = 0;
  std::string_view body_;                    // what message() gave and was not yet encoded
  data_encoder encoder_;

  phase phase_ = phase::talking;
  progress progress_ = progress::none;
  outcome_stage failure_stage_ = outcome_stage::connection;
  close_reason close_reason_ = close_reason::quit;
  bool tls_ = false;
  bool tls_refused_ = false;
  bool body_given_ = false;           // message() was called and its chunk is not used up
  bool body_last_ = false;
  bool chunking_ = false;
  bool needs_reset_ = false;          // the server still has a transaction open
  bool report_ = false;               // finished is due
};

}  // namespace briefwerk::protocol::smtp

#pragma once

// SASL (RFC 4422) without input and output: a mechanism is a value that is fed with the peer's messages and the
// directory's answers, and says what comes next. Octets here are the mechanism's own; Base64, "=", "*" and line ends
// belong to the protocol that carries them:
//
//   SMTP AUTH (RFC 4954)                     IMAP AUTHENTICATE (RFC 9051 §6.2.2, 4959)   what to call
//   AUTH PLAIN                               a AUTHENTICATE PLAIN                        start(nullopt)
//   AUTH PLAIN =                             a AUTHENTICATE PLAIN =                      start("")
//   AUTH PLAIN dGVz…                         a AUTHENTICATE PLAIN dGVz…                  start(decoded)
//   S: 334 <base64 of challenge.octets>      S: + <base64>                               after `challenge`
//   C: <base64>   (an empty line is "")      C: <base64>                                 response(decoded)
//   C: *                                     C: *                                        nothing: drop the mechanism; 501 / BAD
//   (Base64 that does not decode)                                                        nothing: drop it; 501 5.5.2 / BAD
//   S: 235 2.7.0                             a OK                                        after `done`
//   S: 535, 501, 500 or 454: see `failure`   a NO or a BAD                               after `failed`
//
// An absent initial response (nullopt) and an empty one ("") differ: for a mechanism whose client speaks first the
// former is answered with an empty challenge. Neither protocol carries data with success, so SCRAM's last message goes
// out as a challenge that the client answers with an empty response; a protocol that can (ManageSieve's OK (SASL …))
// sees challenge.last, sends the octets with its success and calls response("") itself.
//
// A driver's loop:
//
//   server_step step = mechanism->start(initial);
//   for (;;) {
//     if (auto* c = std::get_if<challenge>(&step))             step = mechanism->response(co_await exchange(c->octets));
//     else if (auto* f = std::get_if<find_credentials>(&step)) step = mechanism->answer(co_await directory.find(f->authcid));
//     else if (auto* p = std::get_if<check_password>(&step))   step = mechanism->answer(co_await directory.check(*p));
//     else break;                                              // done or failed
//   }
//   (Each await is taken into a local first, as everywhere.)

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "briefwerk/base/result.hpp"
#include "briefwerk/protocol/sasl/credentials.hpp"
#include "briefwerk/protocol/sasl/error.hpp"

namespace briefwerk::protocol::sasl {

// RFC 5056. The data belongs to one TLS connection.
struct channel_binding {
  std::string type;  // "tls-exporter" (RFC 9266), "tls-server-end-point", "tls-unique" (RFC 5929)
  std::string data;
};

// ---- what a server is told to do next ----

struct challenge {
  std::string octets;
  bool last = false;  // the client has proved itself; only its acknowledgement, an empty response, is awaited
};

// Which keys does this user have? Answer with answer(credentials_answer). The name is prepared (RFC 4013); what it
// means, letter case and domain included, is the directory's affair.
struct find_credentials {
  std::string authcid;
};

// Is this the user's password? Answer with answer(password_answer). Both are prepared.
struct check_password {
  std::string authcid;
  std::string password;
};

// The client is authcid. Whether authcid may act as authzid (empty: as itself) is for the driver to decide.
struct done {
  std::string authcid;
  std::string authzid;
};

enum class failure : std::uint8_t {
  malformed,        // the client's message breaks the grammar: SMTP 501 5.5.2, IMAP BAD
  too_long,         // above limits::sasl_message: SMTP 500 5.5.6, IMAP BAD
  bad_credentials,  // SMTP 535 5.7.8, IMAP NO [AUTHENTICATIONFAILED]; unknown users and wrong passwords alike
  channel_binding,  // bound to another channel, or somebody hid -PLUS: treated to the outside as bad_credentials
  unavailable,      // the directory does not answer: SMTP 454 4.7.0, IMAP NO [UNAVAILABLE]
};

struct failed {
  failure why = failure::bad_credentials;
  std::string authcid;  // as far as it was said; for the log and the login guard
};

using server_step = std::variant<challenge, find_credentials, check_password, done, failed>;

// ---- what a server answers ----

struct credentials_answer {
  enum class outcome : std::uint8_t {
    found,
    unknown,      // no such user, or one who may not log in: goes on with keys that nobody fits
    unavailable,  // ask later
  };
  outcome what = outcome::unknown;
  credentials known;  // with `found`
};

enum class password_answer : std::uint8_t {
  right,
  wrong,        // also: unknown user, one who may not log in, an address that is banned
  unavailable,
};

// The server's side of one exchange. Steps own their texts. A call that does not fit the last step gives failed
// (malformed); after done and failed every call does. Not thread-safe. Never throws but for want of memory.
class server_mechanism {
 public:
  virtual ~server_mechanism() = default;
  virtual std::string_view name() const noexcept = 0;
  virtual server_step start(std::optional<std::string_view> initial) = 0;
  virtual server_step response(std::string_view octets) = 0;
  virtual server_step answer(credentials_answer found) = 0;
  virtual server_step answer(password_answer verdict) = 0;
};

// The client's side.
class client_mechanism {
 public:
  virtual ~client_mechanism() = default;
  virtual std::string_view name() const noexcept = 0;
  // The initial response; nullopt: the server speaks first. Where the protocol has no room for it (IMAP without
  // SASL-IR), keep it and send it in answer to the first, empty, challenge.
  virtual std::optional<std::string> start() = 0;
  // The answer to a challenge. After an error the exchange is to be cancelled ("*").
  virtual base::result<std::string> response(std::string_view challenge) = 0;
  // The server said that all is well, with `data` where the protocol carries some. An error means that it is not:
  // the server did not prove that it knows the password. Leave at once.
  virtual base::status finish(std::optional<std::string_view> data) = 0;
};

}  // namespace briefwerk::protocol::sasl

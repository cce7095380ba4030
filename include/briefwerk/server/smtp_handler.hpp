#pragma once

// What an embedder implements to receive mail. The session machine has already checked grammar, order of commands, TLS
// and size; the handler decides, and answers with a reply. One handler serves all sessions of a listener: its members
// run on several threads at once, each session's on its own. What it remembers between the calls of one session it
// keeps in session.notes.
//
//   class keep final : public server::smtp_handler {
//     base::task<reply> rcpt(session_facts&, const smtp_envelope&, const envelope_recipient& to) override {
//       // The domain is as the client wrote it.
//       co_return mail::domain_to_ascii(to.address.domain) == "example.org" ? replies::recipient_ok : replies::relay_denied;
//     }
//     base::task<reply> message(session_facts&, const smtp_envelope& envelope, message_buffer& message) override {
//       co_return save(message.view()) ? replies::queued : replies::local_error;
//     }
//   };

#include <memory>
#include <string_view>

#include "briefwerk/base/task.hpp"
#include "briefwerk/filter/stage.hpp"
#include "briefwerk/mail/smtp_envelope.hpp"
#include "briefwerk/protocol/smtp/reply.hpp"
#include "briefwerk/server/message_buffer.hpp"

namespace briefwerk::server {

using filter::session_facts;
using mail::envelope_recipient;
using mail::smtp_envelope;
using protocol::smtp::reply;
namespace replies = protocol::smtp::replies;

// References live until the answer. A reply of the 200s accepts; 421 also ends the connection. A handler that throws is
// answered for with 451, and the failure is logged.
class smtp_handler {
 public:
  virtual ~smtp_handler() = default;

  virtual base::task<reply> connect(session_facts&) { co_return replies::ok; }
  virtual base::task<reply> hello(session_facts&) { co_return replies::ok; }
  // The recipients of the envelope are still empty.
  virtual base::task<reply> mail(session_facts&, const smtp_envelope&) { co_return replies::sender_ok; }
  // `candidate` is not among the envelope's recipients yet; accepting adds it. Refuse what is not yours: an answer that
  // accepts everything is an open relay.
  virtual base::task<reply> rcpt(session_facts&, const smtp_envelope&, const envelope_recipient& candidate) = 0;
  // The whole message. A reply of the 200s says: this is safe now (RFC 5321 §6.1). The buffer may be changed or moved from.
  virtual base::task<reply> message(session_facts&, const smtp_envelope&, message_buffer&) = 0;

  // Before the first octet of a message: an object that sees it arrive, or null. What it is for, it is asked in message().
  // A message that is refused on its way has no message(), its observer just goes.
  virtual std::shared_ptr<filter::message_observer> observe(session_facts&, const smtp_envelope&) { return nullptr; }

  // The transaction is gone without a message(): RSET, EHLO, the end of the session, or a message that the session itself
  // refused (too large, a bare LF, no space for it).
  virtual void reset(session_facts&) noexcept {}
  // The session is over, however it ended.
  virtual void quit(session_facts&) noexcept {}
};

}  // namespace briefwerk::server

#pragma once

// One stage of the filter chain. A stage implements the hooks at which it can judge; the others accept. Stages are
// shared by all sessions of a program: hooks may run on several threads at once, and what a stage remembers between
// hooks of one session it keeps in the session's notes.

#include <any>
#include <map>
#include <string>
#include <string_view>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/filter/verdict.hpp"
#include "briefwerk/mail/smtp_envelope.hpp"

namespace briefwerk::filter {

enum class scope : std::uint8_t { inbound, submission };

// What is known of the session so far. Owned by the session; outlives every hook.
struct session_facts {
  scope where = scope::inbound;
  std::string session_id;
  base::endpoint remote, local;
  std::string hello;         // as the client said it; empty before
  bool extended = false;     // it said EHLO, not HELO
  std::string tls_version;   // empty: not encrypted
  std::string tls_cipher;
  std::string account;       // id of who logged in; empty: nobody
  std::string login;         // the name it logged in with
  std::map<std::string, std::any, std::less<>> notes;  // a stage's own, by its name
};

// A message at the hook `message`: all of it, in one immutable buffer.
struct message_facts {
  std::string_view octets;
};

class stage {
 public:
  virtual ~stage() = default;
  virtual std::string_view name() const noexcept = 0;

  virtual base::task<verdict> connect(session_facts&) { co_return verdict::accepted(); }
  virtual base::task<verdict> hello(session_facts&) { co_return verdict::accepted(); }
  virtual base::task<verdict> mail(session_facts&, const mail::smtp_envelope&) { co_return verdict::accepted(); }
  virtual base::task<verdict> rcpt(session_facts&, const mail::smtp_envelope&, const mail::envelope_recipient&) {
    co_return verdict::accepted();
  }
  virtual base::task<verdict> message(session_facts&, const mail::smtp_envelope&, const message_facts&) {
    co_return verdict::accepted();
  }
};

}  // namespace briefwerk::filter

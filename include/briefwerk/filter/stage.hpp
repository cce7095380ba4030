#pragma once

// One stage of the filter chain. A stage implements the hooks at which it can judge, the earlier the better; the others
// accept. Stages are shared by all sessions of a program: hooks may run on several threads at once, and what a stage
// remembers between hooks of one session it keeps in the session's notes.

#include <any>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/filter/verdict.hpp"
#include "briefwerk/mail/smtp_envelope.hpp"

namespace briefwerk::filter {

enum class scope : std::uint8_t { inbound, submission };

enum class hook : std::uint8_t { connect, hello, mail, rcpt, message };
inline constexpr std::size_t hook_count = 5;
std::string_view to_string(hook at) noexcept;

// Which hooks a stage implements: a set of bits.
using hook_set = std::uint8_t;
constexpr hook_set operator|(hook a, hook b) noexcept {
  return static_cast<hook_set>(1u << static_cast<unsigned>(a) | 1u << static_cast<unsigned>(b));
}
constexpr hook_set operator|(hook_set set, hook one) noexcept {
  return static_cast<hook_set>(set | 1u << static_cast<unsigned>(one));
}
constexpr hook_set only(hook one) noexcept { return hook_set{0} | one; }
constexpr bool contains(hook_set set, hook one) noexcept { return (set >> static_cast<unsigned>(one) & 1) != 0; }
inline constexpr hook_set all_hooks = (1u << hook_count) - 1;

class stage;

// Sees a message while it arrives, so that what has to be hashed is hashed when its last octet is there. Belongs to one
// message of one session and runs on that session's thread.
class message_observer {
 public:
  virtual ~message_observer() = default;
  // The next octets, as they will stand in the message. Must be quick and must not throw.
  virtual void octets(std::string_view piece) noexcept = 0;
};

// What is known of the session so far. Owned by whoever serves the session; outlives every hook.
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
  std::string login_mechanism;  // of SASL
  bool trial = false;        // somebody wants to know what would happen: stages count and remember nothing
  std::map<std::string, std::any, std::less<>> notes;  // a stage's own, by its name

  // The owner of these facts, of the envelope, of the candidate and of the message, for a stage that goes on after its
  // time limit (chain.hpp). An owner that sets it leaves all of them as they are while is_shared(), and works on with
  // copies. Not set: a hook answers only after all its stages have ended.
  std::weak_ptr<void> owner;
  bool is_shared() const noexcept { return owner.use_count() > 1; }

  // The chain's own: what was said at earlier hooks, transactions, and who watches the message that arrives.
  std::array<verdict, hook_count> said;
  std::uint64_t transactions = 0;  // begun so far; a stage may tell by it that this is another one
  std::vector<std::pair<const stage*, std::shared_ptr<message_observer>>> observers;
};

// Thrown by a stage that cannot judge: counts by its failure mode, and the text is logged. No content in it.
class stage_failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A message at the hook `message`: all of it, in one immutable buffer.
struct message_facts {
  std::string_view octets;
  // What the asked stage's own observe() gave for this message; it has seen all octets. Null where it gave none, or
  // where the message did not arrive in pieces (a test, a message from a file).
  message_observer* observer = nullptr;
  // What stages asked for that this one waited for (stage_options::after); a dry run asks for nothing.
  std::vector<mail::message_edit> edits{};
};

class stage {
 public:
  virtual ~stage() = default;
  virtual std::string_view name() const noexcept = 0;
  // At other hooks the stage is not asked. A chain reads it once.
  virtual hook_set hooks() const noexcept { return all_hooks; }

  virtual base::task<verdict> connect(session_facts&) { co_return verdict::accepted(); }
  virtual base::task<verdict> hello(session_facts&) { co_return verdict::accepted(); }
  virtual base::task<verdict> mail(session_facts&, const mail::smtp_envelope&) { co_return verdict::accepted(); }
  virtual base::task<verdict> rcpt(session_facts&, const mail::smtp_envelope&, const mail::envelope_recipient&) {
    co_return verdict::accepted();
  }
  virtual base::task<verdict> message(session_facts&, const mail::smtp_envelope&, const message_facts&) {
    co_return verdict::accepted();
  }

  // Before the first octet of a message: an object that sees it arrive, or null. The stage finds it again in
  // message_facts::observer. The envelope has its recipients.
  virtual std::shared_ptr<message_observer> observe(session_facts&, const mail::smtp_envelope&) { return nullptr; }

  // After the hook message: what the chain makes of this message, for stages that learn from it. Not in a dry run.
  virtual void settled(session_facts&, const mail::smtp_envelope&, const verdict&) noexcept {}
};

}  // namespace briefwerk::filter

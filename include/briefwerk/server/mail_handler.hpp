#pragma once

// The handler of a complete mail server, for port 25 and for Submission: who may send what to whom, the filter chain
// and the changes it asks for, trace fields, and the hand-over to delivery. Submitted mail has its Date and Message-ID
// before the chain sees it; message_observers do not see those two.

#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/filter/chain.hpp"
#include "briefwerk/mailauth/message_signer.hpp"
#include "briefwerk/server/smtp_handler.hpp"
#include "briefwerk/store/directory.hpp"

namespace briefwerk::server {

// Where accepted mail goes. The delivery room has the one of a complete server; main() connects the two.
class message_sink {
 public:
  virtual ~message_sink() = default;
  struct message {
    std::string_view octets;   // Return-Path first, then Received, then what the client sent
    bool junk = false;         // deliver as spam
    bool quarantined = false;  // keep it apart, for nobody but the administrator
    std::string_view reason;   // why it is in quarantine
    std::string_view account;  // who submitted it; empty: it came from outside
  };
  // Success: the message is durable for every recipient. errc::no_space and other errors: for none.
  virtual base::task<base::status> accept(const smtp_envelope& envelope, const message& message) = 0;
  // May this recipient take mail now? errc over_quota and the like come here, before the message is sent.
  virtual base::task<base::status> can_take(const store::resolution& recipient, std::uint64_t size) = 0;
};

struct mail_handler_options {
  std::string hostname;              // of the Received field and of generated Message-IDs
  std::size_t received_fields = base::limits::smtp_received_headers;  // more is a loop
  bool mark_spam = true;             // X-Spam-Flag and X-Spam-Status on what the chain judged
  std::string authserv_id;           // of Authentication-Results fields that are ours; empty: the hostname
  mailauth::message_signer* signer = nullptr;  // signs submitted mail; null: nobody does
  bool seal_forwarded = true;        // ARC on mail from outside that an alias passes on, by the same signer
  bool own_from_only = true;         // Submission: From and Sender must be addresses that the account may use
};

// For both directions: what it does depends on session_facts::where.
class mail_handler final : public smtp_handler {
 public:
  // References outlive the handler.
  mail_handler(store::directory& accounts, const filter::chain& chain, message_sink& sink, const base::crypto& crypto,
               const base::clock& time, mail_handler_options options);

  base::task<reply> connect(session_facts& session) override;
  base::task<reply> hello(session_facts& session) override;
  base::task<reply> mail(session_facts& session, const smtp_envelope& envelope) override;
  base::task<reply> rcpt(session_facts& session, const smtp_envelope& envelope,
                         const envelope_recipient& candidate) override;
  base::task<reply> message(session_facts& session, const smtp_envelope& envelope, message_buffer& message) override;
  std::shared_ptr<filter::message_observer> observe(session_facts& session, const smtp_envelope& envelope) override;
  void reset(session_facts& session) noexcept override;

 private:
  base::task<reply> take(const session_facts& session, const smtp_envelope& envelope, const filter::verdict& verdict,
                         message_buffer& message);
  base::task<reply> take_edited(const session_facts& session, const smtp_envelope& envelope, const filter::verdict& verdict,
                                const message_buffer& message);
  base::task<reply> hand_over(const session_facts& session, const smtp_envelope& envelope, const filter::verdict& verdict,
                              message_buffer& message, std::size_t broken_sets);
  base::task<reply> judge_recipient(session_facts& session, const smtp_envelope& envelope,
                                    const envelope_recipient& candidate);
  base::task<reply> judge_authors(const session_facts& session, const message_buffer& message);
  std::string_view authserv_id() const noexcept;
  base::task<base::status> sign(message_buffer& message) const;
  base::task<std::vector<unsigned>> own_arc_sets(const session_facts& session) const;
  base::task<std::string> seal_for_forwarding(const session_facts& session, const smtp_envelope& envelope,
                                              const message_buffer* changed) const;
  base::status add_trace(const session_facts& session, const smtp_envelope& envelope, const filter::verdict& verdict,
                         std::string_view seal, message_buffer& message) const;
  base::status complete_submission(message_buffer& message) const;

  store::directory& accounts_;
  const filter::chain& chain_;
  message_sink& sink_;
  const base::crypto& crypto_;
  const base::clock& time_;
  mail_handler_options options_;
};

}  // namespace briefwerk::server

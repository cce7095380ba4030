#pragma once

// From an accepted message to mailboxes and queue: who its recipients are here, what the store keeps of it, one
// durable commit for all of them.

#include <functional>
#include <string>
#include <string_view>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/delivery/forwarding.hpp"
#include "briefwerk/mail/smtp_envelope.hpp"
#include "briefwerk/mailauth/message_signer.hpp"
#include "briefwerk/store/directory.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::delivery {

struct inbound_message {
  std::string_view octets;    // with Return-Path and Received in front
  bool junk = false;          // into the mailbox for junk, with $Junk
  std::string_view account;   // who submitted it; empty: it came from outside
  std::string_view held;      // not empty: into the queue for all recipients, in quarantine; and why
};

struct local_delivery_options {
  std::string hostname;                  // of reports
  const base::crypto* crypto = nullptr;  // of reports; null: none are made on success (RFC 3461 §4.1, NOTIFY=SUCCESS)
  mailauth::message_signer* signer = nullptr;  // of reports; null: they are not signed
  forwarding forwards;
  base::log_sink* log = &base::null_log();
};

// Used from many chains at once; keeps nothing between them.
class local_delivery {
 public:
  // References outlive this, and so does what the options point to.
  local_delivery(store::directory& accounts, store::mailbox_store& mailboxes, const base::clock& time,
                 local_delivery_options options = {});

  // Success: durable for every recipient, in mailboxes or in the queue. An error: stored nowhere (but see below).
  // Recipients elsewhere come into the queue whoever asks: the caller has decided that they may (no open relay).
  //
  // What a mailbox refuses alone (its account is being removed) goes to the queue in a second commit, whose runner
  // reports it to the sender or delivers it after all; nobody else gets the message twice. Only when that second commit
  // fails as well is there an error after something was stored: better twice than not at all.
  base::task<base::status> deliver(const mail::smtp_envelope& envelope, inbound_message message);

  // store::errc::over_quota when the account of the recipient, or each one behind an alias, has no room for `size`
  // more octets (0: has no room at all).
  base::task<base::status> can_take(const store::resolution& recipient, std::uint64_t size);

 private:
  struct plan;
  base::task<base::status> resolve(const mail::smtp_envelope& envelope, plan& into);
  base::task<void> give_domain(mail::mailbox_address& bare);
  base::task<void> add_forwards(const mail::envelope_recipient& via, const std::vector<std::string>& addresses, plan& into);
  base::task<std::string> junk_mailbox(std::string account);
  base::task<base::status> hold(const mail::smtp_envelope& envelope, const inbound_message& message);
  base::task<void> report_success(const mail::smtp_envelope& envelope, const plan& done, std::string_view octets);

  store::directory& accounts_;
  store::mailbox_store& mailboxes_;
  const base::clock& time_;
  local_delivery_options options_;
};

}  // namespace briefwerk::delivery

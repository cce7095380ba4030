#pragma once

// From an accepted message to mailboxes and queue: who its recipients are here, what the store keeps of it, one
// durable commit for all of them.

#include <functional>
#include <string>
#include <string_view>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/mail/smtp_envelope.hpp"
#include "briefwerk/store/directory.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::delivery {

struct inbound_message {
  std::string_view octets;    // with Return-Path and Received in front
  bool junk = false;          // into Junk, with $Junk
  std::string_view account;   // who submitted it; empty: it came from outside
};

// Used from many chains at once; keeps nothing between them.
class local_delivery {
 public:
  // References outlive this.
  local_delivery(store::directory& accounts, store::mailbox_store& mailboxes, const base::clock& time);

  // Success: durable for every recipient, in mailboxes or in the queue. An error: stored nowhere.
  // Recipients elsewhere come into the queue whoever asks: the caller has decided that they may (no open relay).
  base::task<base::status> deliver(const mail::smtp_envelope& envelope, const inbound_message& message);

  // store::errc::over_quota when an account of the recipient has no room for `size` more octets.
  base::task<base::status> can_take(const store::resolution& recipient, std::uint64_t size);

 private:
  store::directory& accounts_;
  store::mailbox_store& mailboxes_;
  const base::clock& time_;
};

}  // namespace briefwerk::delivery

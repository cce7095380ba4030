#pragma once

// Is this mail what it claims to be? SPF, DKIM, ARC and DMARC as a stage of the chain. It fills auth_facts and
// mail_authentication, adds one Authentication-Results field, and judges:
//
//   1. The author's domain asks by DMARC for reject or quarantine, and nothing aligned passed: with on_dmarc_fail
//      `mark` junk; with `obey` rejected (550 5.7.1), or junk for quarantine.
//   2. A From field that names no domain, or more than one: junk (DMARC's wishes of those domains as above).
//   3. No SPF pass and no DKIM pass, aligned or not: junk (`mark_unauthenticated`).
//   4. A set of an ARC chain that passes, with only trusted sealers from it on, says that the message was good: none
//      of the above.
//   5. DNS did not answer where it could have made a difference: none of 2 and 3, the mail is taken as it is. Nothing
//   is
//      deferred for that: a domain whose servers are down would lose its mail with their troubles.
//
// Mail of trusted networks and of users who logged in is not checked.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/resolver.hpp"
#include "briefwerk/filter/mail_authentication.hpp"
#include "briefwerk/filter/stage.hpp"
#include "briefwerk/mailauth/dmarc_collector.hpp"

namespace briefwerk::filter {

enum class dmarc_failure : std::uint8_t { mark, obey };

struct mailauth_options {
  std::string authserv_id;  // who speaks in Authentication-Results: the host's name
  dmarc_failure on_dmarc_fail = dmarc_failure::mark;
  bool mark_unauthenticated = true;
  bool add_received_spf = false;             // Received-SPF as well (RFC 7208 §9.1)
  std::vector<std::string> trusted_sealers;  // domains, lower case with A-labels: d= of ARC-Seal
  std::vector<base::ip_network> exempt;      // clients whose mail is not checked
  mailauth::dmarc::options dmarc;
  bool may_seal = false;                          // hash for an ARC seal as well
  // Gets what aggregate reports are made of, once a message; quick, must not throw. Empty: nobody does.
  std::function<void(const mailauth::dmarc::evaluation&, const mailauth::dmarc::message_facts&)> evaluated;
  base::log_sink* log = &base::null_log();
  base::metrics* metrics = nullptr;  // mailauth.<method>.<result>
};

class mailauth_stage final : public stage {
 public:
  // All must outlive it, and so must the options' pointers.
  mailauth_stage(base::resolver& names, const base::crypto& crypto, const base::clock& time, mailauth_options options);
  ~mailauth_stage() override;

  std::string_view name() const noexcept override { return "mailauth"; }
  hook_set hooks() const noexcept override;
  base::task<verdict> connect(session_facts& session) override;  // begins iprev, waits for nothing
  base::task<verdict> hello(session_facts& session) override;    // begins SPF of HELO, waits for nothing
  base::task<verdict> mail(session_facts& session, const mail::smtp_envelope& envelope) override;  // SPF
  std::shared_ptr<message_observer> observe(session_facts& session, const mail::smtp_envelope& envelope) override;
  base::task<verdict> message(session_facts& session, const mail::smtp_envelope& envelope,
                              const message_facts& message) override;

 private:
  struct early;
  bool applies(const session_facts& session) const noexcept;
  std::shared_ptr<early> early_of(session_facts& session) const;
  std::vector<mailauth::body_hash_kind> wanted() const;
  base::task<void> check_spf(const session_facts& session, const mail::smtp_envelope& envelope, early& into);
  std::shared_ptr<mailauth::message_hasher> hashed(const message_facts& message) const;
  base::task<void> take_early(const session_facts& session, const early& known, mail_authentication& into) const;
  // They answer something, so that they can run side by side.
  base::task<bool> verify_dkim(mail_authentication& found) const;
  base::task<bool> verify_arc(mail_authentication& found) const;
  verdict judge(const mail_authentication& found) const;
  void report(const session_facts& session, const mail::smtp_envelope& envelope, const mail_authentication& found,
              const verdict& said) const;
  void tell(const session_facts& session, const mail_authentication& found) const;

  base::resolver& names_;
  const base::crypto& crypto_;
  const base::clock& time_;
  mailauth_options options_;
  mailauth::dkim_keys keys_;
  mailauth::dkim_verifier dkim_;
  mailauth::arc_verifier arc_;
};

}  // namespace briefwerk::filter

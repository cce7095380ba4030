#pragma once

// Greylisting (RFC 6647): the first mail of a sender to a recipient from a network waits; who tries again, as a mail
// server does, is let in and remembered. Hook rcpt; at message only where a signature may still speak for the sender.
//
// Not delayed is
//   - who is on a list: networks, recipients, clients whose verified name is under one of `hosts`, or of the built-in
//     list of operators whose servers share the work over many addresses (RFC 6647 §5, rule 7);
//   - a triplet of network (/24, /64), sender and recipient that waited before; digits of a sender's local part count
//     as equal, since lists number their senders;
//   - a network, and a domain that SPF or a DKIM signature proves (auth_facts), from which `trusted_after` messages
//     were accepted that nothing found to be junk.

#include <chrono>
#include <string>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/resolver.hpp"
#include "briefwerk/filter/stage.hpp"
#include "briefwerk/filter/state_table.hpp"

namespace briefwerk::filter {

struct greylist_options {
  std::chrono::seconds delay{300};                       // before a new triplet is let in
  std::chrono::seconds window{std::chrono::hours(48)};   // in which it must come again (RFC 6647 §5, rule 4)
  std::chrono::seconds lifetime{std::chrono::days(36)};  // of what was let in, since its last mail
  unsigned trusted_after = 5;                            // messages; 0: never
  std::vector<base::ip_network> networks;                // never delayed
  std::vector<std::string> hosts;                        // the same: names of clients, or of domains above them
  bool big_senders = true;                               // the built-in list
  std::vector<std::string> recipients;                   // not protected: addresses, or domains, in lower case
  std::size_t entries = 500000;                          // in memory, about 64 octets each
};

class greylist final : public stage {
 public:
  // References outlive the stage. `hash_key`: of the installation, the same at each start.
  greylist(greylist_options options, base::resolver& resolver, const base::clock& time, base::siphash_key hash_key);

  std::string_view name() const noexcept override { return "greylist"; }
  hook_set hooks() const noexcept override { return hook::mail | hook::rcpt | hook::message; }
  base::task<verdict> mail(session_facts& session, const mail::smtp_envelope& envelope) override;
  base::task<verdict> rcpt(session_facts& session, const mail::smtp_envelope& envelope,
                           const mail::envelope_recipient& recipient) override;
  base::task<verdict> message(session_facts& session, const mail::smtp_envelope& envelope,
                              const message_facts& message) override;
  void settled(session_facts& session, const mail::smtp_envelope& envelope, const verdict& sum) noexcept override;

  kept_table& state() noexcept { return table_; }

 private:
  struct record {
    std::int64_t expires, first;
    std::uint32_t good, passed;
  };
  struct pending;

  std::int64_t now() const noexcept;
  bool is_trusted(const state_key& who) const;
  void learn(const state_key& who);
  static verdict delayed(std::chrono::seconds wait);
  std::chrono::seconds wait_of(const state_key& triplet, bool trial);
  base::task<bool> is_listed_host(session_facts& session);

  greylist_options options_;
  base::resolver& resolver_;
  const base::clock& time_;
  state_table<record> table_;
};

// The sender of a triplet: lower case, without a sub-address, each run of digits in the local part as one "#".
std::string greylist_sender(const mail::smtp_envelope& envelope);

}  // namespace briefwerk::filter

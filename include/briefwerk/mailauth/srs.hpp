#pragma once

// SRS, the Sender Rewriting Scheme: mail that is passed on gets a sender in the forwarder's own domain, so that SPF
// holds at the next server, and a bounce to it finds the way back.
//
//   SRS0=hash=day=domain=local    a sender that was rewritten once: local@domain
//   SRS1=hash=host=…              one that came rewritten, by `host`; bounces go there, not through every forwarder
//
// The hash is keyed, so that nobody can make an address that relays; the day bounds how long a harvested one works.
// Letter case does not count, since servers on the way back may change it.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/mail/address.hpp"

namespace briefwerk::mailauth {

struct srs_options {
  std::vector<std::string> secrets;  // the first signs, all are accepted: an old one stays until its bounces are in
  std::chrono::days valid{21};       // from the day of rewriting; a bounce comes within the give-up time of a queue
};

// Immutable and thread-safe.
class srs {
 public:
  // `crypto` outlives it. At least one secret, which is not empty.
  srs(const base::crypto& crypto, srs_options options);

  // The sender for a message that `domain` passes on. errc::limit_exceeded: it would be longer than
  // limits::address_local_part. (RFC 5321 §4.5.3.1.1 asks servers for 64 octets only; longer ones are common and work.)
  base::result<mail::mailbox_address> forward(const mail::mailbox_address& sender, std::string_view domain,
                                              std::chrono::sys_seconds now) const;
  // Whether this is meant to be a rewritten address, ours or another's; says nothing of the hash.
  static bool is_rewritten(std::string_view local) noexcept;
  // Where a bounce goes. errc::malformed: no rewritten address; errc::denied: not by our hand; errc::timed_out: too
  // old.
  base::result<mail::mailbox_address> reverse(const mail::mailbox_address& bounce, std::chrono::sys_seconds now) const;

 private:
  std::string hash(const std::string& secret, std::string_view what) const;
  bool is_ours(std::string_view given, std::string_view what) const;

  const base::crypto& crypto_;
  srs_options options_;
};

}  // namespace briefwerk::mailauth

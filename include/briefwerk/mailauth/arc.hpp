#pragma once

// ARC, the Authenticated Received Chain (RFC 8617): verifying chains, adding a set of our own.

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/mailauth/authentication_results.hpp"
#include "briefwerk/mailauth/dkim.hpp"
#include "briefwerk/mailauth/message_hasher.hpp"
#include "briefwerk/mailauth/outcome.hpp"
#include "briefwerk/mailauth/trace.hpp"

namespace briefwerk::mailauth {

// One set of a chain, as its three fields say.
struct arc_set {
  unsigned instance = 0;       // i=
  std::string domain;          // d= of the ARC-Seal: who vouches
  std::string selector;        // s= of the ARC-Seal
  std::string message_domain;  // d= of the ARC-Message-Signature
  // What that hop found: the ARC-Authentication-Results value behind "i=N;", unfolded. To be believed only when the
  // chain passes and every sealer from this one to the newest is trusted.
  std::string results;
};

struct arc_result {
  // none: no ARC fields. pass. fail: anything else, DNS trouble included (RFC 8617 §5.2.1: all failures are final).
  outcome what = outcome::none;
  std::string reason;         // of a failure
  std::vector<arc_set> sets;  // oldest first; those that could be read when the chain fails
  unsigned instances = 0;     // the highest i=
  unsigned oldest_pass = 0;   // §5.2 step 5: 0 when every ARC-Message-Signature still verifies
  bool ended = false;         // the newest seal says cv=fail, or the chain is full: nobody may add a set (§5.1)
  bool dns_trouble = false;   // the failure came from DNS: a later check could end otherwise
};

// As Authentication-Results says it; with result_of(), one method result. The client's address is the caller's to add.
arc_facts facts_of(const arc_result& found);

// Thread-safe.
class arc_verifier {
 public:
  explicit arc_verifier(dkim_keys& keys, unsigned rsa_bits_min = 1024);  // `keys` must outlive it

  // `message` is finished and outlives the task.
  base::task<arc_result> verify(const message_hasher& message, tracer trace = {}) const;

 private:
  dkim_keys& keys_;
  unsigned rsa_bits_min_;
};

struct arc_seal_options {
  std::string domain;  // d=
  dkim_signing_key key;
  // h= of the ARC-Message-Signature: those that are present are signed, as often as they are. Empty: a default list,
  // with DKIM-Signature. Authentication-Results and ARC fields are never signed (§4.1.2).
  std::vector<std::string> fields;
};

// Immutable and thread-safe.
class arc_sealer {
 public:
  static base::result<arc_sealer> make(arc_seal_options options);

  // To be wanted of the message_hasher.
  body_hash_kind body_hash() const noexcept;
  // The three fields of a new set, ARC-Seal first, to stand above everything. `results` is an Authentication-Results
  // value: "authserv-id; method=result …". dkim_errc::chain_ended when no set may be added (§5.1), or what is wrong
  // with the message. A failed chain is sealed with cv=fail (§5.1.2).
  base::result<std::string> seal(const message_hasher& message, const arc_result& chain, std::string_view results,
                                 std::chrono::sys_seconds now) const;

 private:
  explicit arc_sealer(arc_seal_options options) : options_(std::move(options)) {}
  arc_seal_options options_;
};

}  // namespace briefwerk::mailauth

#pragma once

// DKIM (RFC 6376 with 8301, 8463 and 8616): signatures and key records as values, verifying, signing.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/base/resolver.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/mailauth/authentication_results.hpp"
#include "briefwerk/mailauth/message_hasher.hpp"
#include "briefwerk/mailauth/outcome.hpp"
#include "briefwerk/mailauth/trace.hpp"

namespace briefwerk::mailauth {

// What can be wrong with a signature, a key record or a message to sign. message() is a text for people: it stands
// in Authentication-Results as the reason.
enum class dkim_errc {
  too_long = 1,  // limits::dkim_signature_size, dkim_key_record, dkim_tags or dkim_signed_fields
  bad_tag_list,  // RFC 6376 §3.2
  duplicate_tag,
  missing_tag,           // a tag that must be there is not
  bad_version,           // v=
  bad_algorithm,         // a=: not known, or not well-formed
  bad_signature_data,    // b= is no base64
  bad_body_hash,         // bh= is no base64, or not of the hash's length
  bad_canonicalization,  // c=
  bad_domain,            // d=
  bad_selector,          // s=
  bad_signed_fields,     // h=
  from_not_signed,       // RFC 6376 §5.4
  bad_identity,          // i=: no address, or not d= or below it
  bad_body_length,       // l=
  bad_query_method,      // q= without dns/txt
  bad_time,              // t= or x=, or x= before t=
  bad_instance,          // i= of an ARC field: not 1 to 50
  bad_chain_status,      // cv=
  forbidden_tag,         // h= of an ARC-Seal (RFC 8617 §4.1.3)
  // Key records, §3.6.1.
  bad_key_version,
  bad_key_type,   // k= is not known
  bad_key_data,   // p= is no base64, or no key
  key_revoked,    // p= is empty
  key_too_large,  // limits::rsa_bits
  wrong_service,  // s= without email
  // Messages and settings of a signer or sealer.
  unsuitable_message,  // message_defects: a bare CR or LF, a line of more than 998 octets, a broken or oversized header
  no_single_from,      // none, or several
  missing_body_hash,   // the message_hasher was not asked for body_hash()
  weak_key,            // RSA below 1024 bits (RFC 8301 §3.2)
  no_key,
  chain_ended,  // RFC 8617 §5.1: the newest seal says cv=fail, or 50 sets are there already
};

const std::error_category& dkim_category() noexcept;
inline std::error_code make_error_code(dkim_errc e) noexcept { return {static_cast<int>(e), dkim_category()}; }

enum class dkim_algorithm : std::uint8_t { rsa_sha1, rsa_sha256, ed25519_sha256 };
std::string_view to_string(dkim_algorithm what) noexcept;  // "rsa-sha256"
base::hash_kind hash_of(dkim_algorithm what) noexcept;
base::key_kind key_of(dkim_algorithm what) noexcept;

// One DKIM-Signature field (RFC 6376 §3.5). Domains are in lower case with A-labels.
struct dkim_signature {
  dkim_algorithm algorithm = dkim_algorithm::rsa_sha256;
  canonicalization header = canonicalization::simple;
  canonicalization body = canonicalization::simple;
  std::string domain;               // d=
  std::string selector;             // s=
  std::string identity;             // i=, decoded; "@" and the domain when there is none
  std::string identity_domain;      // what follows its last "@"
  std::vector<std::string> fields;  // h=, lower case
  std::string body_hash;            // bh=, raw octets
  std::string value;                // b=, raw octets
  std::string value_text;           // b= as Base64 without white space: header.b of Authentication-Results (RFC 6008)
  std::optional<std::uint64_t> body_length;                    // l=
  std::optional<std::chrono::sys_seconds> signed_at, expires;  // t=, x=
  std::vector<std::string> copied_fields;                      // z=, "Name:value", decoded; never believed
};
// `value`: what stands behind the field's colon, folded or not.
base::result<dkim_signature> parse_dkim_signature(std::string_view value);

// One key record (RFC 6376 §3.6.1).
struct dkim_key_record {
  base::key_kind kind = base::key_kind::rsa;  // k=
  std::string octets;                         // p=, decoded; never empty
  bool sha1 = true, sha256 = true;            // h=: hashes that the owner accepts
  bool testing = false;                       // t=y
  bool exact_identity = false;                // t=s: i= may not be a subdomain
};
base::result<dkim_key_record> parse_dkim_key_record(std::string_view text);

// Finds keys, and keeps the parsed form of those met before (limits::dkim_cached_keys). Thread-safe; one for the
// whole program. DNS answers are not kept here: the resolver does that, by their time to live.
class dkim_keys {
 public:
  struct key {
    dkim_key_record record;
    std::shared_ptr<const base::public_key> material;
  };
  struct answer {
    outcome what = outcome::permerror;  // pass: `keys` is not empty; temperror: DNS; permerror: no usable key
    std::string reason;                 // of an error
    std::vector<std::shared_ptr<const key>> keys;  // several records of one name: each is tried (RFC 6376 §6.1.2)
  };

  // Both must outlive it.
  dkim_keys(const base::crypto& crypto, base::resolver& resolver);
  ~dkim_keys();
  dkim_keys(const dkim_keys&) = delete;
  dkim_keys& operator=(const dkim_keys&) = delete;

  base::task<answer> find(std::string selector, std::string domain, tracer trace = {});

 private:
  struct cache;
  base::result<std::shared_ptr<const key>> parse(const std::string& text);
  const base::crypto& crypto_;
  base::resolver& resolver_;
  std::unique_ptr<cache> cache_;
};

// One signature of a message.
struct dkim_result {
  // pass       the signature and the body hash hold, and nothing speaks against it
  // policy     they hold, but it counts as unsigned: rsa-sha1 or a short key (RFC 8301), expired, signed in the
  //            future, text behind l=, a header field more often present than it was signed
  // fail       signature or body hash do not hold
  // temperror  DNS did not answer
  // permerror  the signature or its key record cannot be used
  outcome what = outcome::permerror;
  std::string reason;  // empty for pass
  std::string domain;  // d=; empty, like all that follows, when the field could not be read
  std::string selector;
  std::string identity;    // i=
  std::string value_text;  // b= as Base64 without white space
  std::optional<dkim_algorithm> algorithm;
  unsigned key_bits = 0;                     // 0 when no key was found
  bool testing = false;                      // the key says t=y: a failure means nothing (RFC 6376 §3.6.1)
  std::optional<std::uint64_t> body_length;  // l=
  bool oversigned = false;                   // From is signed once more than it is there: nobody can add another
};

// As Authentication-Results says it; with result_of(), one method result.
dkim_facts facts_of(const dkim_result& found);

struct dkim_verify_options {
  std::size_t signatures = base::limits::dkim_signatures;  // the rest is not looked at
  unsigned rsa_bits_min = 1024;                            // RFC 8301 §3.2; lower ones are refused whatever this says
  std::chrono::seconds clock_skew{300};                    // that t= and x= are allowed
};

// Thread-safe.
class dkim_verifier {
 public:
  // Both must outlive it.
  dkim_verifier(dkim_keys& keys, const base::clock& clock, dkim_verify_options options = {});

  // One result for each DKIM-Signature field, from the top; empty: the message is not signed. Each key is fetched
  // once. `message` is finished and outlives the task.
  base::task<std::vector<dkim_result>> verify(const message_hasher& message, tracer trace = {}) const;

 private:
  dkim_keys& keys_;
  const base::clock& clock_;
  dkim_verify_options options_;
};

// Signing.

struct dkim_signing_key {
  std::string selector;
  std::shared_ptr<const base::private_key> key;
};

const std::vector<std::string>& default_oversigned();  // From, To, Cc, Subject, Date, Message-ID, Reply-To, List-*
const std::vector<std::string>& default_signed();      // Sender, In-Reply-To, Resent-*, MIME's fields, …

struct dkim_sign_options {
  std::string domain;                  // d=, in any spelling
  std::vector<dkim_signing_key> keys;  // one field each, in this order; they share one pass over the message
  canonicalization header = canonicalization::relaxed;
  canonicalization body = canonicalization::relaxed;
  // Signed as often as present and once more, so that none can be added behind the signer (RFC 6376 §8.15).
  std::vector<std::string> oversigned = default_oversigned();
  std::vector<std::string> signed_too = default_signed();  // signed as often as present
  std::string identity;                                    // i=; empty: left out
  bool timestamp = true;                                   // t=
  std::chrono::seconds lifetime{0};                        // x= that long behind t=; 0: none
};

// Immutable and thread-safe.
class dkim_signer {
 public:
  // dkim_errc for settings that cannot work: domain, selector, identity, field names, a weak key or none.
  static base::result<dkim_signer> make(dkim_sign_options options);

  // To be wanted of the message_hasher.
  body_hash_kind body_hash() const noexcept;
  // The DKIM-Signature fields, folded, each with its final CRLF, to stand above everything that is there.
  // dkim_errc when the message cannot be signed; then it is not signed by any key.
  base::result<std::string> sign(const message_hasher& message, std::chrono::sys_seconds now) const;

  const dkim_sign_options& options() const noexcept { return options_; }

 private:
  explicit dkim_signer(dkim_sign_options options) : options_(std::move(options)) {}
  dkim_sign_options options_;
};

}  // namespace briefwerk::mailauth

template <>
struct std::is_error_code_enum<briefwerk::mailauth::dkim_errc> : std::true_type {};

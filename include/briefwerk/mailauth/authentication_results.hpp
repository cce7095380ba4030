#pragma once

// Authentication-Results (RFC 8601) and ARC-Authentication-Results (RFC 8617 §4.1.1) as values: reading, writing,
// and finding those that claim to be ours.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/mailauth/iprev.hpp"
#include "briefwerk/mailauth/outcome.hpp"
#include "briefwerk/mailauth/spf.hpp"

namespace briefwerk::mailauth {

// smtp.mailfrom=user@example.org: type "smtp", name "mailfrom".
struct result_property {
  std::string type;   // ptype: smtp, header, body, policy, or a registered other one; lower case
  std::string name;   // lower case
  std::string value;  // without quotes
  bool operator==(const result_property&) const = default;
};

struct method_result {
  std::string method;    // "spf"; lower case
  unsigned version = 1;  // of the method
  std::string result;    // keyword, lower case; often one of `outcome`, methods may register others
  std::string comment;   // behind the result, for people: "pass (2048-bit key)"; without parentheses
  std::string reason;    // reason="…"
  std::vector<result_property> properties;
  bool operator==(const method_result&) const = default;

  // The first property of that name, nullptr when there is none.
  const std::string* find(std::string_view type, std::string_view name) const noexcept;
  // Appends; an empty value is left out.
  method_result& add(std::string_view type, std::string_view name, std::string_view value);
};

struct authentication_results {
  std::optional<unsigned> instance;  // i= of ARC-Authentication-Results
  std::string authserv_id;
  unsigned version = 1;                // of the field
  std::vector<method_result> results;  // empty: "none"
  bool operator==(const authentication_results&) const = default;

  // The first result of that method, nullptr when there is none.
  const method_result* find(std::string_view method) const noexcept;
};

struct results_error {
  std::size_t position = 0;  // octet of the value
  std::string problem;       // one line of printable ASCII
};

// The value of the field, folded or not; comments are skipped, one behind a result is kept. Kinder than the grammar
// where senders are careless: values may hold what should be quoted, a property may lack its ptype ("action=none" has
// the type ""), a ";" may stand at the end. A field of more than
// limits::authentication_results octets, limits::authentication_methods results, or
// limits::authentication_properties properties of a result is refused.
std::expected<authentication_results, results_error> parse_authentication_results(std::string_view value);
// The same behind "i=1;".
std::expected<authentication_results, results_error> parse_arc_authentication_results(std::string_view value);

// The value, folded with CRLF at most at 78 octets where that is possible, without the final line end. Whatever the
// values hold, the field is well formed: what cannot be said even in quotes (controls, octets that are not UTF-8)
// is replaced by "?"; what is named by no keyword (RFC 5321 §4.1.2) is left out, and so is a property of more than
// limits::authentication_value octets; longer comments and reasons are cut.
std::string to_value(const authentication_results& results);
// The whole field, "Authentication-Results: …" CRLF, or "ARC-Authentication-Results: i=…" CRLF with an instance.
std::string to_field(const authentication_results& results);

// Does a field with this value say that `authserv_id` wrote it (RFC 8601 §5)? A-labels and U-labels of one domain
// are the same (RFC 8616 §5), case and a final dot make no difference, and what follows the name need not be well
// formed. True also when the name cannot be read but the id occurs in the value: another reader may be kinder.
// For ARC-Authentication-Results the value may begin with its instance.
bool claims_authserv_id(std::string_view value, std::string_view authserv_id);

// --- what each method usually says ----------------------------------------------------------------------------

// spf=pass smtp.mailfrom=… or smtp.helo=…
method_result result_of(const spf::verdict& found);
// iprev=pass (name) policy.iprev=address
method_result result_of(const iprev_verdict& found, const base::ip_address& ip);

// auth=pass smtp.auth=user, of a client that logged in (RFC 8601 §2.7.4).
struct auth_facts {
  outcome result = outcome::pass;
  std::string user;       // as it may be published; empty: not told
  std::string mechanism;  // becomes the comment: "SCRAM-SHA-256"; empty: not told
  std::string mailfrom;   // the sender that the login allows; empty: not told
};
method_result result_of(const auth_facts& facts);

struct dkim_facts {
  outcome result = outcome::none;
  std::string domain, identity, selector, algorithm;  // d= i= s= a=
  std::string signature;                              // b= in Base64, of which header.b tells the beginning (RFC 6008)
  std::size_t signature_characters = 8;               // more where two signatures begin alike
  std::string comment;                                // "2048-bit key"
  std::string reason;
};
method_result result_of(const dkim_facts& facts);

struct dmarc_facts {
  outcome result = outcome::none;
  std::string from_domain;      // header.from
  std::string policy;           // policy.dmarc, published and chosen: none, quarantine, reject; empty: no record
  std::string comment, reason;  // comment: "p=reject sp=none dis=none"
};
method_result result_of(const dmarc_facts& facts);

struct arc_facts {
  outcome result = outcome::none;             // none pass fail
  std::optional<unsigned> oldest_pass;        // header.oldest-pass (RFC 8617 §5.2); 0: all body hashes
  std::optional<base::ip_address> remote_ip;  // smtp.remote-ip
  std::string chain;                          // arc.chain, of early drafts of RFC 8617: sealers, newest first, with ":"
  std::string comment, reason;
};
method_result result_of(const arc_facts& facts);

}  // namespace briefwerk::mailauth

#include <utility>

#include "briefwerk/base/limits/mailauth.hpp"
#include "mailauth/arc/chain.hpp"
#include "mailauth/dkim/canonical_header.hpp"
#include "mailauth/dkim/signing.hpp"

namespace briefwerk::mailauth {
namespace {

using base::fail;

// DKIM-Signature and what a reader sees (RFC 8617 §4.1.2). The message's own DKIM-Signature fields among them bind the
// set to the signatures that were there.
const std::vector<std::string>& default_fields() {
  static const std::vector<std::string> names = {"From",
                                                 "Sender",
                                                 "Reply-To",
                                                 "To",
                                                 "Cc",
                                                 "Subject",
                                                 "Date",
                                                 "Message-ID",
                                                 "In-Reply-To",
                                                 "References",
                                                 "List-Id",
                                                 "List-Unsubscribe",
                                                 "List-Unsubscribe-Post",
                                                 "MIME-Version",
                                                 "Content-Type",
                                                 "Content-Transfer-Encoding",
                                                 "DKIM-Signature"};
  return names;
}

bool must_not_be_signed(std::string_view name) noexcept {
  return mail::equals_ignoring_case(name, "Authentication-Results") ||
         mail::equals_ignoring_case(name, "ARC-Authentication-Results") ||
         mail::equals_ignoring_case(name, "ARC-Message-Signature") || mail::equals_ignoring_case(name, "ARC-Seal");
}

std::string_view status_of(const arc_result& chain) noexcept {
  if (chain.what == outcome::none) return "none";
  return chain.what == outcome::pass ? "pass" : "fail";
}

// A value that came folded stays so; one whose lines could end the field is refused by whoever reads it.
std::string results_field(unsigned instance, std::string_view results) {
  std::string value = " i=" + std::to_string(instance) + "; ";
  for (std::size_t i = 0; i < results.size(); ++i) {
    const char c = results[i];
    const bool folding = c == '\r' && i + 2 < results.size() && results[i + 1] == '\n' &&
                         (results[i + 2] == ' ' || results[i + 2] == '\t');
    if (folding) {
      value += "\r\n";
      ++i;
    } else {
      value += c == '\r' || c == '\n' ? ' ' : c;
    }
  }
  return "ARC-Authentication-Results:" + value + "\r\n";
}

}  // namespace

base::result<arc_sealer> arc_sealer::make(arc_seal_options options) {
  auto domain = parse_domain_name(options.domain, 2);
  if (!domain) return fail(dkim_errc::bad_domain);
  options.domain = std::move(*domain);
  if (const auto error = settle_key(options.key)) return fail(error);
  if (options.fields.empty()) options.fields = default_fields();
  for (const std::string& name : options.fields)
    if (!is_field_name(name) || must_not_be_signed(name)) return fail(dkim_errc::bad_signed_fields);
  return arc_sealer(std::move(options));
}

body_hash_kind arc_sealer::body_hash() const noexcept {
  return {canonicalization::relaxed, base::hash_kind::sha256, std::nullopt};
}

base::result<std::string> arc_sealer::seal(const message_hasher& message, const arc_result& chain,
                                           std::string_view results, std::chrono::sys_seconds now) const {
  const message_state& state = message_access::of(message);
  if (const auto error = check_signable(state, body_hash())) return fail(error);
  if (chain.ended) return fail(dkim_errc::chain_ended);
  const unsigned instance = chain.instances + 1;
  const base::private_key& key = *options_.key.key;
  const std::string algorithm(to_string(algorithm_of(key))), number = std::to_string(instance),
                                                             time = std::to_string(now.time_since_epoch().count());

  std::vector<std::string> names;
  for (const std::string& name : options_.fields) names.insert(names.end(), count_fields(state, name), name);
  if (names.size() > base::limits::dkim_signed_fields) return fail(dkim_errc::too_long);
  // The order of the tags, and b= without folding, are those of the working group's signing examples: the seal covers
  // both.
  field_writer signature("ARC-Message-Signature");
  signature.tag("a", algorithm);
  signature.begin_signature();
  signature.base64("bh", message.find(body_hash())->digest);
  signature.tag("c", "relaxed/relaxed");
  signature.tag("d", options_.domain);
  signature.list("h", names);
  signature.tag("i", number);
  signature.tag("s", options_.key.selector);
  signature.tag("t", time);
  const auto ams = sign_field(std::move(signature), canonicalization::relaxed,
                              canonical_fields(state, canonicalization::relaxed, names), key, state.crypto, false);
  if (!ams) return ams;

  const std::string aar = results_field(instance, results);
  std::string data;
  // §5.1.2: the seal of a failed chain covers its own set alone.
  if (chain.what == outcome::pass)
    for (const chain_set& set : read_chain(state).sets) append_sealed(data, state, set);
  append_canonical_field(data, canonicalization::relaxed, aar);
  append_canonical_field(data, canonicalization::relaxed, *ams);
  field_writer seal("ARC-Seal");
  seal.tag("a", algorithm);
  seal.begin_signature();
  seal.tag("cv", status_of(chain));
  seal.tag("d", options_.domain);
  seal.tag("i", number);
  seal.tag("s", options_.key.selector);
  seal.tag("t", time);
  const auto as = sign_field(std::move(seal), canonicalization::relaxed, std::move(data), key, state.crypto);
  if (!as) return as;
  return *as + *ams + aar;
}

}  // namespace briefwerk::mailauth

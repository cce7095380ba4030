#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "mailauth/dkim/canonical_header.hpp"
#include "mailauth/dkim/check.hpp"
#include "mailauth/dkim/key_ring.hpp"

namespace briefwerk::mailauth {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

// Fields that RFC 5322 §3.6 and RFC 2045 allow once. A reader may be shown another one than was signed (RFC 6376
// §8.15), so all that are there have to be signed.
constexpr std::array<std::string_view, 13> single_fields = {"from",
                                                            "sender",
                                                            "reply-to",
                                                            "to",
                                                            "cc",
                                                            "bcc",
                                                            "message-id",
                                                            "in-reply-to",
                                                            "references",
                                                            "subject",
                                                            "date",
                                                            "content-type",
                                                            "content-transfer-encoding"};

std::optional<std::string> unsigned_duplicate(const message_state& message, const dkim_signature& signature) {
  for (const std::string_view name : single_fields) {
    const std::uint32_t hash = name_hash(name);
    std::size_t present = 0;
    for (std::size_t i = 0; i < message.fields.size(); ++i)
      present += message.hashes[i] == hash && mail::equals_ignoring_case(message.fields[i].name, name) ? 1u : 0u;
    if (present > 1 && std::cmp_greater(present, std::ranges::count(signature.fields, name)))
      return "more " + std::string(name) + " fields than were signed";
  }
  return std::nullopt;
}

// What makes a signature that verified count as none; the first reason.
std::optional<std::string> objection(const message_state& message, const dkim_signature& signature,
                                     const dkim_result& result, const dkim_verify_options& options, sys_seconds now) {
  if (auto weak = weakness(signature, result.key_bits, std::max(options.rsa_bits_min, 1024u))) return weak;
  if (signature.expires && *signature.expires + options.clock_skew < now) return "the signature has expired";
  if (signature.signed_at && *signature.signed_at > now + options.clock_skew) return "signed in the future";
  if (signature.body_length) {
    const body_hash_kind kind{signature.body, hash_of(signature.algorithm), signature.body_length};
    const auto run = std::ranges::find(message.running, kind, &message_state::running_hash::kind);
    if (run->result.canonical_size > *signature.body_length)
      return "text follows the signed part of the body (l=" + std::to_string(*signature.body_length) + ")";
  }
  return unsigned_duplicate(message, signature);
}

dkim_result describe(const message_state& message, const dkim_signature& signature) {
  dkim_result out;
  out.domain = signature.domain;
  out.selector = signature.selector;
  out.identity = signature.identity;
  out.value_text = signature.value_text;
  out.algorithm = signature.algorithm;
  out.body_length = signature.body_length;
  const std::uint32_t from = name_hash("from");
  const auto signed_from = std::ranges::count(signature.fields, "from");
  out.oversigned = signed_from > std::ranges::count(message.hashes, from);
  return out;
}

std::string explain(const dkim_result& found) {
  std::string text = "a DKIM-Signature field";
  if (found.algorithm) {
    text = "signature of " + found.domain + ", selector " + found.selector + ", " +
           std::string(to_string(*found.algorithm));
  }
  if (found.key_bits != 0) text += ", key of " + std::to_string(found.key_bits) + " bits";
  if (found.testing) text += ", a domain that tests DKIM";
  text += ": " + std::string(to_string(found.what));
  return found.reason.empty() ? text : text + ", " + found.reason;
}

}  // namespace

dkim_facts facts_of(const dkim_result& found) {
  dkim_facts out;
  out.result = found.what;
  out.domain = found.domain;
  out.identity = found.identity;
  out.selector = found.selector;
  if (found.algorithm) out.algorithm = to_string(*found.algorithm);
  out.signature = found.value_text;
  if (found.key_bits != 0) out.comment = std::to_string(found.key_bits) + "-bit key";
  if (found.testing) out.comment += out.comment.empty() ? "testing" : ", testing";
  out.reason = found.reason;
  return out;
}

dkim_verifier::dkim_verifier(dkim_keys& keys, const base::clock& clock, dkim_verify_options options)
    : keys_(keys), clock_(clock), options_(options) {}

base::task<std::vector<dkim_result>> dkim_verifier::verify(const message_hasher& message, tracer trace) const {
  const message_state& state = message_access::of(message);
  const auto now = std::chrono::floor<seconds>(clock_.now());
  const std::span signatures = std::span(state.dkim).first(std::min(state.dkim.size(), options_.signatures));
  std::vector<finding> bodies;
  key_ring ring(keys_);
  if (signatures.empty()) trace.step("dkim", [] { return std::string("the message is not signed"); });
  for (const found_signature& found : signatures) {
    bodies.push_back(found.parsed ? check_body(state, found.parsed->signature)
                                  : finding{outcome::permerror, found.parsed.error().message()});
    // A body that does not match needs no question to DNS.
    if (bodies.back().what == outcome::pass) ring.want(found.parsed->signature);
  }
  co_await ring.fetch(trace);

  std::vector<dkim_result> results;
  for (std::size_t i = 0; i < signatures.size(); ++i) {
    const found_signature& found = signatures[i];
    dkim_result& out = results.emplace_back();
    if (found.parsed) out = describe(state, found.parsed->signature);
    finding decided = std::move(bodies[i]);
    if (decided.what == outcome::pass) {
      const dkim_signature& signature = found.parsed->signature;
      decided =
          check_signature(signature, header_digest(state, found), ring.answer(signature), out.key_bits, out.testing);
      if (decided.what == outcome::pass) {
        if (auto reason = objection(state, signature, out, options_, now))
          decided = {outcome::policy, std::move(*reason)};
      }
    }
    out.what = decided.what;
    out.reason = std::move(decided.reason);
    trace.step("dkim", [&] { return explain(out); });
  }
  co_return results;
}

}  // namespace briefwerk::mailauth

#include <algorithm>
#include <utility>

#include "briefwerk/base/limits/mailauth.hpp"
#include "mail/ascii.hpp"
#include "mailauth/arc/chain.hpp"
#include "mailauth/dkim/canonical_header.hpp"
#include "mailauth/dkim/check.hpp"
#include "mailauth/dkim/key_ring.hpp"

namespace briefwerk::mailauth {
namespace {

arc_set describe(const chain_set& set, unsigned instance) {
  arc_set out;
  out.instance = instance;
  out.domain = set.seal.field.signature.domain;
  out.selector = set.seal.field.signature.selector;
  out.message_domain = set.message->parsed->signature.domain;
  out.results = mail::unfold(set.results);
  return out;
}

// One verification of a chain (RFC 8617 §5.2) whose keys are there.
class chain_check {
 public:
  chain_check(const message_state& message, const chain& sets, const key_ring& keys, unsigned rsa_bits_min,
              tracer trace)
      : message_(message), chain_(sets), keys_(keys), rsa_bits_min_(rsa_bits_min), trace_(trace) {}

  // Steps 4 to 7.
  void run(arc_result& out) {
    const std::size_t count = chain_.sets.size();
    if (!conclude(out, check_message(count - 1), "ARC-Message-Signature", count)) return;
    for (std::size_t i = count - 1; i-- > 0;) {
      const finding older = check_message(i);
      if (older.what == outcome::pass) continue;
      tell("ARC-Message-Signature", i + 1, older);
      out.oldest_pass = static_cast<unsigned>(i) + 2;
      break;
    }
    for (std::size_t i = count; i-- > 0;)
      if (!conclude(out, check_seal(i), "ARC-Seal", i + 1)) return;
    out.what = outcome::pass;
  }

 private:
  finding check_message(std::size_t index) const {
    const found_signature& found = *chain_.sets[index].message;
    const dkim_signature& signature = found.parsed->signature;
    finding body = check_body(message_, signature);
    if (body.what != outcome::pass) return body;
    if (signature.body_length) {
      const body_hash_kind kind{signature.body, hash_of(signature.algorithm), signature.body_length};
      const auto run = std::ranges::find(message_.running, kind, &message_state::running_hash::kind);
      if (run->result.canonical_size > *signature.body_length)
        return {outcome::policy, "text follows the signed part of the body"};
    }
    return check_key(signature, header_digest(message_, found));
  }

  // The fields of all sets up to this one, its own seal last and without b= (§5.1.1).
  finding check_seal(std::size_t index) const {
    std::string data;
    for (std::size_t i = 0; i < index; ++i) append_sealed(data, message_, chain_.sets[i]);
    const chain_set& set = chain_.sets[index];
    append_canonical_field(data, canonicalization::relaxed, message_.fields[set.results_field].whole);
    append_canonical_field(data, canonicalization::relaxed, message_.fields[set.message->field].whole);
    append_canonical_signature(data, canonicalization::relaxed, message_.fields[set.seal_index].whole,
                               set.seal.field.begin, set.seal.field.end);
    const dkim_signature& signature = set.seal.field.signature;
    return check_key(signature, message_.crypto.hash(hash_of(signature.algorithm), data));
  }

  finding check_key(const dkim_signature& signature, std::string_view digest) const {
    unsigned bits = 0;
    bool testing = false;
    finding found = check_signature(signature, digest, keys_.answer(signature), bits, testing);
    if (found.what != outcome::pass) return found;
    if (auto weak = weakness(signature, bits, rsa_bits_min_)) return {outcome::policy, std::move(*weak)};
    return found;
  }

  bool conclude(arc_result& out, finding found, std::string_view field, std::size_t instance) const {
    tell(field, instance, found);
    if (found.what == outcome::pass) return true;
    out.what = outcome::fail;
    out.reason = std::string(field) + " " + std::to_string(instance) + ": " + found.reason;
    out.dns_trouble = found.what == outcome::temperror;
    return false;
  }

  void tell(std::string_view field, std::size_t instance, const finding& found) const {
    trace_.step("arc", [&] {
      std::string text = std::string(field) + " " + std::to_string(instance) + ": ";
      return text + (found.what == outcome::pass ? std::string("pass") : found.reason);
    });
  }

  const message_state& message_;
  const chain& chain_;
  const key_ring& keys_;
  unsigned rsa_bits_min_;
  tracer trace_;
};

}  // namespace

arc_facts facts_of(const arc_result& found) {
  arc_facts out;
  out.result = found.what;
  if (found.what == outcome::pass) out.oldest_pass = found.oldest_pass;
  out.reason = found.reason;
  for (std::size_t i = found.sets.size(); i-- > 0;) out.chain += (out.chain.empty() ? "" : ":") + found.sets[i].domain;
  return out;
}

arc_verifier::arc_verifier(dkim_keys& keys, unsigned rsa_bits_min)
    : keys_(keys), rsa_bits_min_(std::max(rsa_bits_min, 1024u)) {}

base::task<arc_result> arc_verifier::verify(const message_hasher& message, tracer trace) const {
  const message_state& state = message_access::of(message);
  const chain found = read_chain(state);
  arc_result out;
  if (!found.present) {
    if (state.defects.header_too_large) {
      out.what = outcome::fail;
      out.ended = true;
      out.reason = "the header is too large";
    }
    trace.step("arc", [&] { return out.reason.empty() ? std::string("no ARC fields") : out.reason; });
    co_return out;
  }
  out.instances = found.highest;
  out.ended = found.newest_failed || found.highest >= base::limits::arc_sets;
  for (std::size_t i = 0; i < found.sets.size(); ++i)
    out.sets.push_back(describe(found.sets[i], found.sets[i].seal.field.instance));
  if (found.newest_failed || !found.problem.empty()) {
    out.what = outcome::fail;
    out.reason = found.newest_failed ? "the newest seal says that the chain failed (cv=fail)" : found.problem;
    trace.step("arc", [&] { return out.reason; });
    co_return out;
  }

  key_ring ring(keys_);
  for (const chain_set& set : found.sets) {
    ring.want(set.seal.field.signature);
    ring.want(set.message->parsed->signature);
  }
  co_await ring.fetch(trace);
  chain_check(state, found, ring, rsa_bits_min_, trace).run(out);
  co_return out;
}

}  // namespace briefwerk::mailauth

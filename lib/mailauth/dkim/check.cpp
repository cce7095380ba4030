#include "mailauth/dkim/check.hpp"

#include "mailauth/dkim/canonical_header.hpp"

namespace briefwerk::mailauth {
namespace {

// Whether the key may be used for this signature (RFC 6376 §6.1.2), and whether it made it.
finding check_one_key(const dkim_signature& signature, std::string_view digest, const dkim_keys::key& key) {
  const dkim_key_record& record = key.record;
  if (record.kind != key_of(signature.algorithm))
    return {outcome::permerror, "the key is not of the signature's algorithm"};
  if (!(signature.algorithm == dkim_algorithm::rsa_sha1 ? record.sha1 : record.sha256))
    return {outcome::permerror, "the key record does not allow this hash"};
  if (record.exact_identity && signature.identity_domain != signature.domain)
    return {outcome::permerror, "the key record does not allow a subdomain in i="};
  if (!key.material->verify(hash_of(signature.algorithm), digest, signature.value))
    return {outcome::fail, "the signature did not verify"};
  return {};
}

}  // namespace

finding check_body(const message_state& message, const dkim_signature& signature) {
  const body_hash_kind wanted{signature.body, hash_of(signature.algorithm), signature.body_length};
  for (const auto& one : message.running) {
    if (one.kind != wanted) continue;
    if (signature.body_length.value_or(0) > one.result.canonical_size)
      return {outcome::fail, "the body is shorter than l="};
    if (one.result.digest != signature.body_hash) return {outcome::fail, "the body hash did not verify"};
    return {};
  }
  return {outcome::policy, "the signatures ask for too many different body hashes"};
}

std::string header_digest(const message_state& message, const found_signature& found) {
  const signature_field& field = *found.parsed;
  const dkim_signature& signature = field.signature;
  std::string data;
  data.reserve(2048);
  field_chooser chooser(message.fields, message.hashes);
  chooser.leave_out(found.field);
  for (const std::string& name : signature.fields)
    if (const auto* chosen = chooser.next(name)) append_canonical_field(data, signature.header, chosen->whole);
  append_canonical_signature(data, signature.header, message.fields[found.field].whole, field.begin, field.end);
  return message.crypto.hash(hash_of(signature.algorithm), data);
}

finding check_signature(const dkim_signature& signature, std::string_view digest, const dkim_keys::answer& keys,
                        unsigned& bits, bool& testing) {
  std::optional<finding> first;
  for (const auto& key : keys.keys) {
    finding found = check_one_key(signature, digest, *key);
    if (first && found.what != outcome::pass) continue;
    bits = key->material->bits();
    testing = key->record.testing;
    if (found.what == outcome::pass) return found;
    first = std::move(found);
  }
  return first ? std::move(*first) : finding{keys.what, keys.reason};
}

std::optional<std::string> weakness(const dkim_signature& signature, unsigned bits, unsigned rsa_bits_min) {
  if (signature.algorithm == dkim_algorithm::rsa_sha1) return "rsa-sha1 is historic (RFC 8301)";
  if (key_of(signature.algorithm) == base::key_kind::rsa && bits < rsa_bits_min)
    return "an RSA key of " + std::to_string(bits) + " bits is too short";
  return std::nullopt;
}

}  // namespace briefwerk::mailauth

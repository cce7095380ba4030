#include "briefwerk/protocol/sasl/credentials.hpp"

#include <charconv>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/protocol/sasl/error.hpp"
#include "briefwerk/protocol/sasl/prepare.hpp"

namespace briefwerk::protocol::sasl {
namespace {

using base::hash_kind;

std::string_view hash_name(hash_kind hash) noexcept {
  return hash == hash_kind::sha1 ? "SCRAM-SHA-1" : "SCRAM-SHA-256";
}

// RFC 5802 §3, for a password already prepared.
scram_keys derive_prepared(const base::crypto& crypto, hash_kind hash, std::string_view password, std::string_view salt,
                           std::uint32_t iterations) {
  const std::string salted = crypto.pbkdf2(hash, password, salt, iterations, base::digest_size(hash));
  return {hash, iterations, std::string(salt), crypto.hash(hash, crypto.hmac(hash, salted, "Client Key")),
          crypto.hmac(hash, salted, "Server Key")};
}

// Cuts "<before><mark>" off the front; nothing if the mark is missing.
std::optional<std::string_view> take_until(std::string_view& rest, char mark) {
  const std::size_t end = rest.find(mark);
  if (end == std::string_view::npos) return {};
  const std::string_view out = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return out;
}

}  // namespace

base::result<scram_keys> derive_scram_keys(const base::crypto& crypto, hash_kind hash, std::string_view password,
                                           std::string_view salt, std::uint32_t iterations) {
  if (iterations < base::limits::scram_iterations_min || iterations > base::limits::scram_iterations_max)
    return base::fail(base::errc::limit_exceeded);
  const auto prepared = saslprep(password);
  if (!prepared) return base::fail(prepared.error());
  return derive_prepared(crypto, hash, *prepared, salt, iterations);
}

base::result<scram_keys> make_scram_keys(const base::crypto& crypto, hash_kind hash, std::string_view password,
                                         std::uint32_t iterations) {
  return derive_scram_keys(crypto, hash, password, crypto.random_octets(scram_salt_size), iterations);
}

std::string to_text(const scram_keys& keys) {
  std::string out(hash_name(keys.hash));
  out += '$';
  out += std::to_string(keys.iterations);
  out += ':';
  out += base::base64_encode(keys.salt);
  out += '$';
  out += base::base64_encode(keys.stored_key);
  out += ':';
  out += base::base64_encode(keys.server_key);
  return out;
}

base::result<scram_keys> parse_scram_keys(std::string_view text) {
  scram_keys out;
  const auto name = take_until(text, '$'), iterations = take_until(text, ':'), salt = take_until(text, '$'),
             stored = take_until(text, ':');
  // A mark that is missing leaves the rest as it was, where the next mark may still be found.
  if (!name || !iterations || !salt || !stored) return base::fail(errc::malformed_credentials);
  if (*name == hash_name(hash_kind::sha1))
    out.hash = hash_kind::sha1;
  else if (*name != hash_name(hash_kind::sha256))
    return base::fail(errc::malformed_credentials);

  const char* end = iterations->data() + iterations->size();
  const auto number = std::from_chars(iterations->data(), end, out.iterations);
  if (number.ec != std::errc() || number.ptr != end || out.iterations == 0 ||
      out.iterations > base::limits::scram_iterations_max)
    return base::fail(errc::malformed_credentials);

  auto salt_octets = base::base64_decode(*salt);
  auto stored_key = base::base64_decode(*stored);
  auto server_key = base::base64_decode(text);
  if (!salt_octets || !stored_key || !server_key || salt_octets->empty() ||
      stored_key->size() != base::digest_size(out.hash) || server_key->size() != base::digest_size(out.hash))
    return base::fail(errc::malformed_credentials);
  out.salt = std::move(*salt_octets);
  out.stored_key = std::move(*stored_key);
  out.server_key = std::move(*server_key);
  return out;
}

scram_keys decoy_keys(const base::crypto& crypto, hash_kind hash, std::string_view secret, std::string_view name,
                      std::uint32_t iterations) {
  const auto derived = [&](std::string_view use) {
    std::string message(use);
    ((message += hash_name(hash)) += '\0') += name;
    return crypto.hmac(hash_kind::sha256, secret, message);
  };
  scram_keys out{hash, iterations, derived("salt "), derived("stored "), derived("server ")};
  out.salt.resize(scram_salt_size);
  out.stored_key.resize(base::digest_size(hash));
  out.server_key.resize(base::digest_size(hash));
  return out;
}

bool verify_password(const base::crypto& crypto, const credentials* known, std::string_view password,
                     std::uint32_t decoy_iterations) {
  const auto prepared = saslprep(password);
  if (!prepared) return false;
  const scram_keys* keys = nullptr;
  if (known != nullptr && known->sha256)
    keys = &*known->sha256;
  else if (known != nullptr && known->sha1)
    keys = &*known->sha1;
  if (keys != nullptr) {
    const scram_keys given = derive_prepared(crypto, keys->hash, *prepared, keys->salt, keys->iterations);
    return base::equal_in_constant_time(given.stored_key, keys->stored_key);
  }
  // No keys: the same work for nothing, also where a plain comparison would be quick.
  const scram_keys spent =
      derive_prepared(crypto, hash_kind::sha256, *prepared, std::string(scram_salt_size, '\0'), decoy_iterations);
  if (known == nullptr || !known->secret || spent.stored_key.empty()) return false;
  // Digests compared, since the comparison shows differences in length.
  return base::equal_in_constant_time(crypto.hash(hash_kind::sha256, *prepared),
                                      crypto.hash(hash_kind::sha256, *known->secret));
}

}  // namespace briefwerk::protocol::sasl

#pragma once

// What a directory keeps of a password, and what is done with it. With SCRAM's keys alone nobody can log in: they
// are as good as a salted, iterated hash, and serve PLAIN and LOGIN too.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/result.hpp"

namespace briefwerk::protocol::sasl {

// RFC 5802 §3. The octets are raw, not Base64.
struct scram_keys {
  base::hash_kind hash = base::hash_kind::sha256;  // sha256 or sha1
  std::uint32_t iterations = 0;
  std::string salt;
  std::string stored_key;  // of digest_size(hash)
  std::string server_key;
  bool operator==(const scram_keys&) const = default;
};

struct credentials {
  std::optional<scram_keys> sha256;
  std::optional<scram_keys> sha1;
  std::optional<std::string> secret;  // the password itself; CRAM-MD5 cannot do without
};

inline constexpr std::size_t scram_salt_size = 16;  // of new keys, and of those that stand in for an unknown user's

// The keys of a password (prepared with SASLprep here). Errors: those of saslprep(); base::errc::limit_exceeded
// for iterations outside limits::scram_iterations_min and _max.
base::result<scram_keys> derive_scram_keys(const base::crypto& crypto, base::hash_kind hash, std::string_view password,
                                           std::string_view salt, std::uint32_t iterations);
// With a salt of its own.
base::result<scram_keys> make_scram_keys(const base::crypto& crypto, base::hash_kind hash, std::string_view password,
                                         std::uint32_t iterations = base::limits::scram_iterations_default);

// SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>, the last three in Base64: the form that PostgreSQL, and
// others after it, use.
std::string to_text(const scram_keys& keys);
// errc::malformed_credentials. Iterations below the minimum are taken, those above the maximum are not.
base::result<scram_keys> parse_scram_keys(std::string_view text);

// Keys that nobody knows a password for, the same each time for a name: the answer to who asks for an unknown user.
// `secret` is the server's own; the keys cannot be told from others without it.
scram_keys decoy_keys(const base::crypto& crypto, base::hash_kind hash, std::string_view secret, std::string_view name,
                      std::uint32_t iterations);

// Is this the password? For check_password, where the directory keeps SCRAM keys (the stronger hash is taken) or the
// secret. `known` null, or without anything to compare: false, after the same work as with `decoy_iterations`
// iterations; so a directory that makes all its keys with one count does not betray its users by time.
// Blocks for the whole derivation (about a millisecond): call it where that is no harm.
bool verify_password(const base::crypto& crypto, const credentials* known, std::string_view password,
                     std::uint32_t decoy_iterations = base::limits::scram_iterations_default);

}  // namespace briefwerk::protocol::sasl

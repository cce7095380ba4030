#include "briefwerk/crypto/password.hpp"

#include <crypt.h>
#include <strings.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>

#include "briefwerk/base/encoding.hpp"

namespace briefwerk::crypto {
namespace {

using base::errc;
using base::hash_kind;

constexpr std::size_t salt_size = 16;

struct scram_text {
  hash_kind hash = hash_kind::sha256;
  std::uint32_t iterations = 0;
  std::string salt, stored_key;
};

bool same_name(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view take_until(std::string_view& rest, char mark) {
  const std::size_t end = rest.find(mark);
  const std::string_view out = rest.substr(0, end);
  rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  return out;
}

// The four values; `marks` are what stands behind the first three.
base::result<scram_text> parse_scram(hash_kind hash, std::string_view text, std::string_view marks) {
  scram_text out;
  out.hash = hash;
  const std::string_view number = take_until(text, marks[0]), salt_part = take_until(text, marks[1]),
                         stored_part = take_until(text, marks[2]);
  const auto end = std::from_chars(number.data(), number.data() + number.size(), out.iterations);
  if (end.ec != std::errc() || end.ptr != number.data() + number.size() || out.iterations == 0)
    return base::fail(errc::malformed);
  if (out.iterations > base::limits::scram_iterations_max) return base::fail(errc::limit_exceeded);
  auto salt = base::base64_decode(salt_part), stored = base::base64_decode(stored_part),
       server = base::base64_decode(text);
  if (!salt || !stored || !server || salt->empty() || stored->size() != base::digest_size(hash) ||
      server->size() != base::digest_size(hash))
    return base::fail(errc::malformed);
  out.salt = std::move(*salt);
  out.stored_key = std::move(*stored);
  return out;
}

bool fits_scram(const base::crypto& crypto, const scram_text& keys, std::string_view password) {
  const std::string salted =
      crypto.pbkdf2(keys.hash, password, keys.salt, keys.iterations, base::digest_size(keys.hash));
  const std::string stored = crypto.hash(keys.hash, crypto.hmac(keys.hash, salted, "Client Key"));
  // HMAC pads its key with NULs (RFC 2104 §2), so that a password with NULs at its end would pass for one without.
  const bool has_nul = password.find('\0') != password.npos;
  return base::equal_in_constant_time(stored, keys.stored_key) && !has_nul;
}

bool is_crypt_scheme(std::string_view name) noexcept {
  return same_name(name, "CRYPT") || same_name(name, "BLF-CRYPT") || same_name(name, "SHA512-CRYPT") ||
         same_name(name, "SHA256-CRYPT");
}

bool is_strong_crypt(std::string_view stored) noexcept {
  for (const std::string_view prefix : {"$y$", "$gy$", "$7$", "$2a$", "$2b$", "$2y$", "$6$", "$5$"})
    if (stored.starts_with(prefix)) return true;
  return false;
}

// The hash of a password under a setting, which may be a whole hash; nothing if crypt(3) refuses.
std::optional<std::string> run_crypt(std::string_view password, std::string_view setting) {
  if (password.find('\0') != password.npos || setting.find('\0') != setting.npos) return {};
  const auto room = std::make_unique<crypt_data>();  // 32 KiB
  const char* out = ::crypt_r(std::string(password).c_str(), std::string(setting).c_str(), room.get());
  if (out == nullptr || out[0] == '*') return {};
  return out;
}

base::result<bool> fits_crypt(const base::crypto& crypto, std::string_view stored, std::string_view password) {
  if (!is_strong_crypt(stored)) return base::fail(errc::unsupported);
  const auto hashed = run_crypt(password, stored);
  if (!hashed) {
    // Crypt refuses the password (NUL, length) or the hash; what it does to another password tells which.
    if (!run_crypt("x", stored)) return base::fail(errc::malformed);
    return false;
  }
  // Digests compared: the stored text may be shorter than a hash.
  return base::equal_in_constant_time(crypto.hash(hash_kind::sha256, *hashed), crypto.hash(hash_kind::sha256, stored));
}

base::result<std::string> new_yescrypt(const base::crypto& crypto, std::string_view password) {
  if (password.find('\0') != password.npos) return base::fail(errc::malformed);
  if (password.size() >= CRYPT_MAX_PASSPHRASE_SIZE) return base::fail(errc::limit_exceeded);
  const std::string salt = crypto.random_octets(salt_size);
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting;
  if (::crypt_gensalt_rn("$y$", 0, salt.data(), static_cast<int>(salt.size()), setting.data(),
                         static_cast<int>(setting.size())) == nullptr)
    return base::fail(errc::unsupported);
  auto out = run_crypt(password, setting.data());
  if (!out) return base::fail(errc::unsupported);
  return std::move(*out);
}

std::string new_scram(const base::crypto& crypto, std::string_view password, std::uint32_t iterations) {
  constexpr auto hash = hash_kind::sha256;
  const std::string salt = crypto.random_octets(salt_size);
  const std::string salted = crypto.pbkdf2(hash, password, salt, iterations, base::digest_size(hash));
  const std::string stored = crypto.hash(hash, crypto.hmac(hash, salted, "Client Key"));
  return "SCRAM-SHA-256$" + std::to_string(iterations) + ":" + base::base64_encode(salt) + "$" +
         base::base64_encode(stored) + ":" + base::base64_encode(crypto.hmac(hash, salted, "Server Key"));
}

}  // namespace

base::result<bool> fits_stored_password(const base::crypto& crypto, std::string_view stored,
                                        std::string_view password) {
  std::string_view scheme;
  if (stored.starts_with('{')) {
    const std::size_t end = stored.find('}');
    if (end == stored.npos) return base::fail(errc::malformed);
    scheme = stored.substr(1, end - 1);
    stored.remove_prefix(end + 1);
  }
  if (same_name(scheme, "PLAIN") || same_name(scheme, "CLEARTEXT"))
    return base::equal_in_constant_time(crypto.hash(hash_kind::sha256, stored),
                                        crypto.hash(hash_kind::sha256, password));
  if (is_crypt_scheme(scheme) || (scheme.empty() && stored.starts_with('$')))
    return fits_crypt(crypto, stored, password);

  for (const auto hash : {hash_kind::sha256, hash_kind::sha1}) {
    const std::string_view name = hash == hash_kind::sha1 ? "SCRAM-SHA-1" : "SCRAM-SHA-256";
    const bool named = same_name(scheme, name),
               prefixed = stored.starts_with(name) && stored.substr(name.size()).starts_with('$');
    if (!named && !(scheme.empty() && prefixed)) continue;
    const auto keys =
        prefixed ? parse_scram(hash, stored.substr(name.size() + 1), ":$:") : parse_scram(hash, stored, ",,,");
    if (!keys) return base::fail(keys.error());
    return fits_scram(crypto, *keys, password);
  }
  return base::fail(errc::unsupported);
}

base::result<std::string> hash_password(const base::crypto& crypto, password_scheme scheme, std::string_view password,
                                        std::uint32_t scram_iterations) {
  if (password.empty()) return base::fail(errc::malformed);
  if (scheme == password_scheme::yescrypt) return new_yescrypt(crypto, password);
  if (scram_iterations < base::limits::scram_iterations_min || scram_iterations > base::limits::scram_iterations_max)
    return base::fail(errc::limit_exceeded);
  return new_scram(crypto, password, scram_iterations);
}

}  // namespace briefwerk::crypto

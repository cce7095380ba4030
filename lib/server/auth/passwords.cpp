#include "briefwerk/server/passwords.hpp"

#include "briefwerk/crypto/password.hpp"
#include "briefwerk/protocol/sasl/prepare.hpp"

namespace briefwerk::server {

namespace sasl = protocol::sasl;

namespace {

constexpr std::string_view plain_prefix = "{PLAIN}";

// Keys as we write them, the same behind their scheme in braces, or as Dovecot writes them:
//   {SCRAM-SHA-256}4096,<salt>,<StoredKey>,<ServerKey>
base::result<sasl::scram_keys> read_scram_keys(std::string_view text) {
  if (!text.starts_with('{')) return sasl::parse_scram_keys(text);
  const auto end = text.find('}');
  if (end == std::string_view::npos) return base::fail(base::errc::malformed);
  std::string scheme;
  for (const char c : text.substr(1, end - 1)) scheme += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  text.remove_prefix(end + 1);
  if (text.starts_with("SCRAM-")) return sasl::parse_scram_keys(text);
  std::string ours = scheme + "$";
  int commas = 0;
  for (const char c : text) {
    if (c == ',' && commas == 3) return base::fail(base::errc::malformed);
    ours += c == ',' ? ":$:"[commas++] : c;
  }
  return sasl::parse_scram_keys(ours);
}

}  // namespace

base::result<std::vector<std::string>> make_credentials(const base::crypto& crypto, password_scheme scheme,
                                                        std::string_view password, std::uint32_t iterations) {
  auto prepared = sasl::saslprep(password);
  if (!prepared) return base::fail(prepared.error());
  std::vector<std::string> made;
  for (const base::hash_kind hash : {base::hash_kind::sha256, base::hash_kind::sha1}) {
    auto keys = sasl::make_scram_keys(crypto, hash, *prepared, iterations);
    if (!keys) return base::fail(keys.error());
    made.push_back(sasl::to_text(*keys));
  }
  if (scheme == password_scheme::recoverable) made.push_back(std::string(plain_prefix) + *prepared);
  return made;
}

sasl::credentials sasl_credentials(std::span<const std::string> stored) {
  sasl::credentials known;
  for (const std::string& one : stored) {
    if (one.starts_with(plain_prefix)) {
      known.secret = one.substr(plain_prefix.size());
    } else {
      auto keys = read_scram_keys(one);
      if (!keys) continue;  // crypt(3) and the like
      (keys->hash == base::hash_kind::sha256 ? known.sha256 : known.sha1) = std::move(*keys);
    }
  }
  return known;
}

bool verify_password(const base::crypto& crypto, std::span<const std::string> stored, std::string_view password) {
  // One is enough: all of them are made of the same password, and each costs its time.
  for (const std::string& one : stored) {
    if (const auto fits = crypto::fits_stored_password(crypto, one, password)) return *fits;
  }
  return sasl::verify_password(crypto, nullptr, password);
}

}  // namespace briefwerk::server

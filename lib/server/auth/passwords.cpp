#include "briefwerk/server/passwords.hpp"

#include "briefwerk/crypto/password.hpp"
#include "briefwerk/protocol/sasl/prepare.hpp"

namespace briefwerk::server {

namespace sasl = protocol::sasl;

namespace {

constexpr std::string_view plain_prefix = "{PLAIN}";
}  // namespace

base::result<std::vector<std::string>> make_credentials(const base::crypto& crypto, password_scheme scheme,
                                                        std::string_view password, std::uint32_t iterations) {
  auto prepared = sasl::saslprep(password);
  if (!prepared) return base::fail(prepared.error());
  std::vector<std::string> made;
  if (scheme == password_scheme::recoverable) {
    made.push_back(std::string(plain_prefix) + *prepared);
    return made;
  }
  for (const base::hash_kind hash : {base::hash_kind::sha256, base::hash_kind::sha1}) {
    auto keys = sasl::make_scram_keys(crypto, hash, *prepared, iterations);
    if (!keys) return base::fail(keys.error());
    made.push_back(sasl::to_text(*keys));
  }
  return made;
}

sasl::credentials sasl_credentials(std::span<const std::string> stored) {
  sasl::credentials known;
  for (const std::string& one : stored) {
    if (one.starts_with(plain_prefix)) {
      known.secret = one.substr(plain_prefix.size());
    } else if (one.starts_with("SCRAM-")) {
      auto keys = sasl::parse_scram_keys(one);
      if (!keys) continue;
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

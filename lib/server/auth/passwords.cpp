#include "briefwerk/server/passwords.hpp"

#include <crypt.h>

#include <memory>

#include "briefwerk/protocol/sasl/prepare.hpp"

namespace briefwerk::server {

namespace sasl = protocol::sasl;

namespace {

constexpr std::string_view plain_prefix = "{PLAIN}";
constexpr std::string_view crypt_prefix = "{CRYPT}";

// The crypt(3) text, or empty for another scheme.
std::string_view crypt_text(std::string_view stored) {
  if (stored.starts_with(crypt_prefix)) return stored.substr(crypt_prefix.size());
  return stored.starts_with('$') ? stored : std::string_view{};
}

bool verify_crypt(const std::string& setting, const std::string& password) {
  if (password.find('\0') != std::string::npos) return false;
  auto scratch = std::make_unique<crypt_data>();  // 32 KiB: too large for a coroutine's or a small thread's stack
  const char* made = ::crypt_r(password.c_str(), setting.c_str(), scratch.get());
  return made && made[0] != '*' && base::equal_in_constant_time(made, setting);
}

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
  for (const std::string& one : stored) {
    const std::string_view setting = crypt_text(one);
    if (!setting.empty()) return verify_crypt(std::string(setting), std::string(password));
  }
  const sasl::credentials known = sasl_credentials(stored);
  return sasl::verify_password(crypto, stored.empty() ? nullptr : &known, password);
}

}  // namespace briefwerk::server

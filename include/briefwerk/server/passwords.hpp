#pragma once

// What the directory keeps of passwords, as text, and what is done with it. One account has one or more of:
//   SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>   serves every mechanism but CRAM-MD5; the default
//   SCRAM-SHA-1$…                                               for clients that know nothing newer
//   {PLAIN}<password>                                           recoverable: CRAM-MD5, PLAIN and LOGIN
//   what crypto::fits_stored_password() knows of other systems: PLAIN and LOGIN only

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/protocol/sasl/credentials.hpp"

namespace briefwerk::server {

enum class password_scheme : std::uint8_t {
  scram,        // SCRAM-SHA-256 and SCRAM-SHA-1
  recoverable,  // the same, and {PLAIN}: every mechanism
};

// Errors: those of sasl::saslprep() for what cannot be a password.
base::result<std::vector<std::string>> make_credentials(
    const base::crypto& crypto, password_scheme scheme, std::string_view password,
    std::uint32_t iterations = base::limits::scram_iterations_default);

// What SCRAM and CRAM-MD5 can use; texts that cannot be read are passed over.
protocol::sasl::credentials sasl_credentials(std::span<const std::string> stored);

// Is this the password (prepared with SASLprep)? With nothing stored: false, after the work of a right one. Blocks for
// about a millisecond, for crypt(3) longer.
bool verify_password(const base::crypto& crypto, std::span<const std::string> stored, std::string_view password);

}  // namespace briefwerk::server

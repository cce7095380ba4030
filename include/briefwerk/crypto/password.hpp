#pragma once

// Passwords as directories keep them, this one's own and those taken over from other systems.

#include <cstdint>
#include <string>
#include <string_view>

#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/result.hpp"

namespace briefwerk::crypto {

// Does the password fit what is stored? Forms of `stored`, a leading {SCHEME} in any case:
//   {SCRAM-SHA-256}<iterations>,<salt>,<StoredKey>,<ServerKey>     as Dovecot writes it
//   SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>      with or without {SCRAM-SHA-256}; also SCRAM-SHA-1
//   $y$ $gy$ $7$ $2a$ $2b$ $2y$ $6$ $5$                            crypt(3), also behind {CRYPT}, {BLF-CRYPT},
//                                                                  {SHA512-CRYPT}, {SHA256-CRYPT}
//   {PLAIN}<password>                                              also {CLEARTEXT}
// `password` is compared as it is: what SASL delivers is prepared already. Takes as long as the scheme means it to (it
// blocks), the comparison at its end the same time whatever differs.
// Errors: base::errc::unsupported for another scheme (DES and MD5 crypt among them); base::errc::malformed;
// base::errc::limit_exceeded for SCRAM above limits::scram_iterations_max. A password with NUL fits nothing but {PLAIN}.
base::result<bool> fits_stored_password(const base::crypto& crypto, std::string_view stored, std::string_view password);

enum class password_scheme : std::uint8_t {
  scram_sha256,  // SCRAM-SHA-256$…: serves SCRAM logins too
  yescrypt,      // $y$…: harder on those who steal it; PLAIN and LOGIN only
};

// A new stored form. Errors: base::errc::unsupported where the system's crypt has no yescrypt; base::errc::malformed
// for a password that is empty, or contains NUL with yescrypt; base::errc::limit_exceeded for one that crypt(3) does
// not take (above 511 octets), or iterations outside limits::scram_iterations_min and _max.
base::result<std::string> hash_password(const base::crypto& crypto, password_scheme scheme, std::string_view password,
                                        std::uint32_t scram_iterations = base::limits::scram_iterations_default);

}  // namespace briefwerk::crypto

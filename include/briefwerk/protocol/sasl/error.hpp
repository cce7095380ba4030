#pragma once

#include <system_error>

namespace briefwerk::protocol::sasl {

// Why the client's side of an exchange ended, and why a name or a password cannot be used.
enum class errc {
  malformed_challenge = 1,    // the server's message does not follow the mechanism's grammar
  unexpected_challenge,       // a message after the last one, or success before the server proved itself
  bad_nonce,                  // the server's nonce does not begin with ours
  iterations_out_of_bounds,   // outside limits::scram_iterations_min and _max
  server_not_authentic,       // the server's signature is wrong: it does not know the password
  refused_by_server,          // e= in the server's final message of SCRAM
  no_common_mechanism,        // nothing that both sides can do, or that may be done without TLS
  prohibited_character,       // RFC 4013 §2.3, bad UTF-8 or mixed directions
  empty_after_preparation,    // nothing is left of the name or the password
  malformed_credentials,      // stored text that is not SCRAM-…$…
};

const std::error_category& sasl_category() noexcept;
inline std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), sasl_category()}; }

}  // namespace briefwerk::protocol::sasl

template <>
struct std::is_error_code_enum<briefwerk::protocol::sasl::errc> : std::true_type {};

#pragma once

// Which mechanisms there are, which of them may be used now, and how one is made.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/protocol/sasl/mechanism.hpp"

namespace briefwerk::protocol::sasl {

// SCRAM-SHA-256-PLUS, SCRAM-SHA-1-PLUS, SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN, LOGIN: strongest first.
std::span<const std::string_view> all_mechanisms() noexcept;

struct server_options {
  bool tls = false;                   // the connection is encrypted
  bool allow_without_tls = false;     // offer mechanisms on a connection in the clear too
  bool recoverable_secrets = false;   // the directory keeps passwords as they are: CRAM-MD5 is offered
  std::vector<channel_binding> channel_bindings;  // of this connection; empty: nothing with -PLUS
  std::vector<std::string> disabled;  // names never offered, in capitals
  std::string host = "localhost";     // stands in CRAM-MD5's challenge
  // For unknown users: a secret of at least 16 octets, the same in all processes and after a restart, else salts would
  // change where those of real users stay; and the iterations that the directory's keys are made with.
  std::string decoy_secret;
  std::uint32_t decoy_iterations = base::limits::scram_iterations_default;
};

// The names to advertise, strongest first; empty on a connection in the clear unless that was allowed.
std::vector<std::string_view> offered(const server_options& options);

// `name` in any case. base::errc::unsupported for what is not offered. `crypto` outlives the mechanism; the options
// are copied.
base::result<std::unique_ptr<server_mechanism>> make_server(std::string_view name, const server_options& options,
                                                            const base::crypto& crypto);

struct client_options {
  std::string authcid;
  std::string password;
  std::string authzid;                // empty: as oneself
  bool tls = false;
  bool allow_without_tls = false;     // PLAIN, LOGIN and CRAM-MD5 in the clear; SCRAM needs no leave
  std::vector<channel_binding> channel_bindings;  // of this connection, preferred first
  std::vector<std::string> disabled;
};

// The strongest of the server's mechanisms that may be used, made ready. Errors: errc::no_common_mechanism; those of
// saslprep() for the name or the password.
base::result<std::unique_ptr<client_mechanism>> make_client(std::span<const std::string_view> server_offers,
                                                            const client_options& options, const base::crypto& crypto);

}  // namespace briefwerk::protocol::sasl

#pragma once

// The mechanisms behind the factories of negotiation.hpp.

#include <memory>
#include <string>

#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/limits.hpp"
#include "briefwerk/protocol/sasl/mechanism.hpp"
#include "briefwerk/protocol/sasl/prepare.hpp"

namespace briefwerk::protocol::sasl {

// A server mechanism that asks for nothing but what it overrides.
class server_base : public server_mechanism {
 public:
  server_step start(std::optional<std::string_view> initial) override {
    return initial ? response(*initial) : server_step(challenge{});
  }
  server_step answer(credentials_answer) override { return fail_with(failure::malformed); }
  server_step answer(password_answer) override { return fail_with(failure::malformed); }

 protected:
  server_step fail_with(failure why) { return failed{why, authcid_}; }
  static bool is_too_long(std::string_view octets) noexcept { return octets.size() > base::limits::sasl_message; }

  std::string authcid_, authzid_;
};

// What a client says of itself, prepared.
struct client_identity {
  std::string authcid, password, authzid;
};

std::unique_ptr<server_mechanism> make_plain_server();
std::unique_ptr<server_mechanism> make_login_server();
// `text` is the challenge between the angle brackets; `decoy_secret` as in server_options.
std::unique_ptr<server_mechanism> make_cram_md5_server(std::string text, std::string decoy_secret,
                                                       const base::crypto& crypto);

std::unique_ptr<client_mechanism> make_plain_client(client_identity identity);
std::unique_ptr<client_mechanism> make_login_client(client_identity identity);
std::unique_ptr<client_mechanism> make_cram_md5_client(client_identity identity, const base::crypto& crypto);

}  // namespace briefwerk::protocol::sasl

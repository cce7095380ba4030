#pragma once

// The standard authenticator: the SASL mechanisms over the directory's accounts.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/protocol/sasl/negotiation.hpp"
#include "briefwerk/server/authenticator.hpp"
#include "briefwerk/store/directory.hpp"

namespace briefwerk::server {

struct account_authenticator_options {
  std::string host = "localhost";            // in CRAM-MD5's challenge
  // The same for all processes of an installation, and after a restart; at least 16 octets. See sasl::server_options.
  std::string decoy_secret;
  std::vector<std::string> disabled;         // mechanisms never offered, in capitals
  bool recoverable_secrets = false;          // offer CRAM-MD5: needs accounts with {PLAIN} credentials
  unsigned threads = 1;                      // for password hashing, which takes milliseconds
  // A password that was right is known again for so long without hashing it anew (only a keyed hash of it is kept, in
  // memory). 0: never.
  std::chrono::seconds remember{300};
  std::size_t remembered = 10000;            // entries
};

class account_authenticator final : public authenticator {
 public:
  // `accounts`, `crypto` and `time` outlive this; all exchanges must be gone before.
  account_authenticator(store::directory& accounts, const base::crypto& crypto, const base::clock& time,
                        account_authenticator_options options);
  ~account_authenticator() override;

  std::vector<std::string> mechanisms(bool channel_binding) const override;
  std::unique_ptr<auth_exchange> start(std::string_view mechanism, const auth_origin& origin) override;
  base::task<auth_result> check_password(std::string_view name, std::string_view password,
                                         const auth_origin& origin) override;

  struct impl;

 private:
  std::unique_ptr<impl> impl_;
};

}  // namespace briefwerk::server

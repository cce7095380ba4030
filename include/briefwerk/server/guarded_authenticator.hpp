#pragma once

// An authenticator behind a login guard: what banned addresses ask costs no password hashing, what fails is counted and
// held back where the guard says so, and checks for addresses that the account does not know wait in a bounded line,
// so that those of known users go through.

#include <cstddef>
#include <memory>

#include "briefwerk/server/authenticator.hpp"
#include "briefwerk/server/login_guard.hpp"

namespace briefwerk::server {

struct guarded_authenticator_options {
  // Passwords of strangers to the account (mechanisms that show the password) checked at once; as many as wait for
  // that, in all and of one address (IPv6: /64). Addresses without failures come first, each network in its turn
  // (net/turn_line.hpp). Who finds the line full, or has to make room in it, is told to come again (unavailable).
  std::size_t strangers_at_once = 1;
  std::size_t strangers_waiting = 200;
  std::size_t waiting_per_address = 4;
};

class guarded_authenticator final : public authenticator {
 public:
  // Both outlive this; all exchanges must be gone before. Held-back answers wait on the session's net::io_thread;
  // sessions that run elsewhere get theirs at once.
  guarded_authenticator(authenticator& inner, login_guard& guard, guarded_authenticator_options options = {},
                        base::metrics* metrics = nullptr);
  ~guarded_authenticator() override;

  std::vector<std::string> mechanisms(bool channel_binding) const override;
  std::unique_ptr<auth_exchange> start(std::string_view mechanism, const auth_origin& origin) override;
  base::task<auth_result> check_password(std::string_view name, std::string_view password,
                                         const auth_origin& origin) override;

  struct impl;

 private:
  std::unique_ptr<impl> impl_;
};

}  // namespace briefwerk::server

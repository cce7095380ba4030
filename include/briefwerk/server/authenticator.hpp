#pragma once

// Who is this, and may he? One interface for SMTP AUTH (RFC 4954), IMAP AUTHENTICATE and LOGIN. The standard one,
// account_authenticator, runs the SASL mechanisms over the accounts of a store::directory; an embedder replaces either.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"

namespace briefwerk::server {

// Where an attempt comes from, for guards and logs.
struct auth_origin {
  base::endpoint peer;
  std::string_view service;     // "submission", "imap", …
  std::string_view session_id;
  bool tls = false;
  // RFC 9266 and RFC 5929; empty where there is no TLS. Kept by the caller until the exchange is gone.
  std::string_view tls_exporter;
  std::string_view tls_server_end_point;
};

struct auth_result {
  enum class kind : std::uint8_t {
    challenge,    // `data` goes to the client, its answer to the next respond()
    success,      // `data`: additional data of the mechanism, may be empty
    refused,      // wrong name or password, or the client broke the mechanism: never says which
    unavailable,  // nobody can tell now: a temporary failure
    banned,       // this address has to wait; says nothing about the password
  } what = kind::refused;
  std::string data;
  std::string account;  // id, with success
  std::string login;    // normalised, with success; with a refusal the name that was tried where it is known (for the log)
};

// One exchange of one session. References die with it.
class auth_exchange {
 public:
  virtual ~auth_exchange() = default;
  // The client's next message, decoded; nothing: it sent no initial response. The view lives until the answer.
  virtual base::task<auth_result> respond(std::optional<std::string_view> message) = 0;
};

// Thread-safe.
class authenticator {
 public:
  virtual ~authenticator() = default;
  // Best first; `-PLUS` mechanisms only where `channel_binding`.
  virtual std::vector<std::string> mechanisms(bool channel_binding) const = 0;
  // Null for a mechanism that is not offered. `origin` lives as long as the exchange.
  virtual std::unique_ptr<auth_exchange> start(std::string_view mechanism, const auth_origin& origin) = 0;
  // IMAP LOGIN. The views live until the answer.
  virtual base::task<auth_result> check_password(std::string_view name, std::string_view password,
                                                 const auth_origin& origin) = 0;
};

}  // namespace briefwerk::server

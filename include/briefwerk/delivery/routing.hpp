#pragma once

// Which hosts take the mail of a domain (RFC 5321 §5.1, RFC 7505).

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/resolver.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/protocol/smtp/reply.hpp"

namespace briefwerk::delivery {

// Encryption of one next hop.
enum class hop_tls : std::uint8_t {
  verified,  // TLS, and a certificate that proves the host's name
  required,  // TLS, whatever the certificate
  optional,  // TLS where it is offered
  none,
};

struct next_hop {
  std::string host;  // A-labels; names the connection and the certificate
  std::uint16_t port = 25;
  bool configured = false;  // by a route_override, so that each of its addresses is right
};

// An exception that the administrator made for a domain; host empty: by MX.
struct route_override {
  std::string domain;  // A-labels in lower case, or "*"
  std::string host;
  std::uint16_t port = 25;
  hop_tls tls = hop_tls::required;
};

struct route {
  std::vector<next_hop> hops;  // in the order to try; addresses are looked up when a hop's turn comes
  hop_tls tls = hop_tls::required;
};

// A domain that cannot be reached, as the reply that its recipients get: 4yz for now, 5yz for good.
using route_answer = std::variant<route, protocol::smtp::reply>;

class router {
 public:
  struct options {
    std::string hostname;  // ours: an MX record that names it ends the list (RFC 5321 §5.1)
    hop_tls tls = hop_tls::required;
    std::vector<route_override> overrides;
    std::uint16_t port = 25;  // of hosts found by DNS and of address literals; another one is for tests
    // Who publishes an MX record chooses where others connect to. Addresses in these networks are passed over, unless
    // the administrator named the hop: loopback, our own, a network of machines that trust us.
    std::vector<base::ip_network> ignored;
  };
  router(base::resolver& names, options how);

  // `domain` as in an address: UTF-8, A-labels or an address literal.
  base::task<route_answer> find(std::string domain);
  // Addresses of a hop, IPv6 first. Empty: none, see `temporary`.
  struct addresses {
    std::vector<base::ip_address> list;
    bool temporary = false;  // DNS did not answer; there may be some
    bool ignored = false;    // there were more, in options::ignored
  };
  base::task<addresses> resolve(next_hop hop);

 private:
  const route_override* override_for(std::string_view domain) const;
  base::task<addresses> look_up(std::string host);

  base::resolver& names_;
  options options_;
};

}  // namespace briefwerk::delivery

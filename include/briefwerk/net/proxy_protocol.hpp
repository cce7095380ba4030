#pragma once

// The PROXY protocol, versions 1 and 2, as HAProxy's proxy-protocol.txt (2020/03/05) defines it: what a proxy that is
// trusted writes before everything else, TLS included, to tell whom it speaks for. No socket here; a listener reads
// and believes headers only from the networks in its proxy_options.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/result.hpp"

namespace briefwerk::net {

struct proxy_header {
  std::size_t size = 0;  // octets of the whole header, what follows belongs to the session
  // The real peer and the address that it connected to. Nothing: the proxy speaks for itself (a health check: LOCAL),
  // or does not know or cannot say (UNKNOWN, UNSPEC, Unix sockets); then the connection's own addresses count.
  struct addresses {
    base::endpoint source, destination;
  };
  std::optional<addresses> forwarded;
};

// The header that `octets` begin with; nullopt: they may become one, more are needed. Type-length-value fields of
// version 2 are skipped. Errors:
//   not_found       no header begins like this
//   malformed       a header, but a wrong one, or for another transport than a stream
//   limit_exceeded  longer than limits::proxy_header_v1 or limits::proxy_header_v2
base::result<std::optional<proxy_header>> parse_proxy_header(std::string_view octets);

// Whom a listener believes.
struct proxy_options {
  std::vector<base::ip_network> networks;  // empty: nobody, no header is read at all
  // A connection from there without a header: true: refused; false: taken as one of its own address, which for
  // protocols where the server speaks first is known only after `wait`.
  bool required = true;
  std::chrono::milliseconds wait{5000};  // for the whole header
};

}  // namespace briefwerk::net

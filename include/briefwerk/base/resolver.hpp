#pragma once

// What the library asks of DNS. The net room implements it on c-ares; tests script it.

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"

namespace briefwerk::base {

enum class dns_type : std::uint16_t { a = 1, cname = 5, ptr = 12, mx = 15, txt = 16, aaaa = 28, srv = 33, tlsa = 52 };

struct dns_mx {
  std::uint16_t preference = 0;
  std::string exchange;  // without the final dot; empty for a null MX (RFC 7505)
};
struct dns_tlsa {  // RFC 6698 §2.1
  std::uint8_t usage = 0, selector = 0, matching = 0;
  std::string data;
};
struct dns_srv {  // RFC 2782
  std::uint16_t priority = 0, weight = 0, port = 0;
  std::string target;  // without the final dot; empty: the service is not offered
};
struct dns_txt {
  std::string text;  // the strings of one record joined (RFC 7208 §3.3)
};
struct dns_name {
  std::string name;  // of PTR; without the final dot
};
using dns_record = std::variant<ip_address, dns_mx, dns_txt, dns_name, dns_tlsa, dns_srv>;

enum class dns_status : std::uint8_t {
  found,     // at least one record of the type asked for
  no_data,   // the name exists, not with that type
  no_name,   // NXDOMAIN
  failed,    // SERVFAIL, REFUSED, malformed answer, all servers silent: a temporary error
};

struct dns_answer {
  dns_status status = dns_status::failed;
  bool authenticated = false;         // AD bit of a validating resolver that the administrator trusts
  std::vector<dns_record> records;    // of the type asked for, aliases followed
  std::string canonical_name;         // the end of the CNAME chain, where there was one
  std::chrono::seconds ttl{0};        // the smallest of the chain
};

// Used from the executor of the asking chain; answers there. Never fails otherwise than with dns_status::failed;
// gives up by itself (the implementation states when).
class resolver {
 public:
  virtual ~resolver() = default;
  // `name` as in presentation format without final dot, A-labels or UTF-8 (converted); kept until the answer.
  virtual task<dns_answer> query(std::string name, dns_type type) = 0;
};

}  // namespace briefwerk::base

#pragma once

// base::resolver on c-ares: one channel and one cache for each io_thread. EDNS (1232 octets), TCP where an answer is
// cut, several servers tried in turn, equal questions asked once. A question that no server answers fails after
// `tries` rounds, each with twice the wait of the one before: 14 seconds for one server with the defaults.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/resolver.hpp"
#include "briefwerk/net/error.hpp"
#include "briefwerk/net/io_threads.hpp"

namespace briefwerk::net {

struct dns_resolver_options {
  std::vector<base::endpoint> servers;      // empty: those of /etc/resolv.conf
  std::chrono::milliseconds timeout{2000};  // of the first try; c-ares doubles it
  int tries = 3;                            // for each server
  std::size_t cache_entries = 10000;        // for each thread; 0: no cache
  std::chrono::seconds longest_ttl{86400};
  std::chrono::seconds longest_negative_ttl{900};  // RFC 2308 §5
  // Whether the servers' AD bit is believed: a validating resolver on this machine, or behind a trusted link.
  bool trust_authenticated = false;
};

// query() may be called from chains on any of `threads` (and from others: those use the first thread). A name with
// octets outside ASCII answers dns_status::failed: callers convert to A-labels before (IDNA is not this room's). A name
// that cannot exist (an empty label, one over 63 octets, over 255 in all) answers no_name without asking.
class dns_resolver final : public base::resolver {
 public:
  // `threads` outlive it. Errors: c-ares cannot start.
  static explained<std::unique_ptr<dns_resolver>> create(io_threads& threads, dns_resolver_options options = {});
  static explained<std::unique_ptr<dns_resolver>> create(io_thread& thread, dns_resolver_options options = {});
  // From any thread. Unanswered questions answer dns_status::failed, soon, on threads that run.
  ~dns_resolver() override;

  base::task<base::dns_answer> query(std::string name, base::dns_type type) override;

 private:
  struct impl;
  explicit dns_resolver(std::shared_ptr<impl> made) noexcept;
  std::shared_ptr<impl> impl_;
};

}  // namespace briefwerk::net

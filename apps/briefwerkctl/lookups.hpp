#pragma once

// DNS for a program that asks and waits.

#include <memory>
#include <vector>

#include "apps/briefwerkctl/connection.hpp"
#include "briefwerk/net/dns_resolver.hpp"
#include "briefwerk/net/io_threads.hpp"

namespace briefwerk::apps::ctl {

class lookups {
 public:
  // Servers: as given, else those of the system. Throws failure.
  explicit lookups(std::vector<base::endpoint> servers) {
    auto made = net::dns_resolver::create(loop_, {.servers = std::move(servers)});
    if (!made) throw failure(made.error().text);
    names_ = std::move(*made);
    loop_.start();
  }
  // Under base::sync_wait, on any thread.
  base::resolver& names() noexcept { return *names_; }

  // "192.0.2.53:53"; throws failure.
  static base::endpoint server(const std::string& text) {
    auto parsed = base::endpoint::parse(text);
    if (!parsed) throw failure(text + " is no address with a port, like 192.0.2.53:53");
    return *parsed;
  }

 private:
  net::io_threads loop_{1};
  std::unique_ptr<net::dns_resolver> names_;
};

}  // namespace briefwerk::apps::ctl

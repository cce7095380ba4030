#pragma once

// Networks that an administrator banned: looked up by each length of prefix that occurs.

#include <atomic>
#include <map>
#include <optional>
#include <shared_mutex>
#include <vector>

#include "briefwerk/server/login_guard.hpp"

namespace briefwerk::server::guard {

// Thread-safe. Without bans a question takes no lock.
class manual_bans {
 public:
  // False: there are too many.
  bool put(ban_info ban);
  bool erase(const base::ip_network& network);
  // The narrowest that covers the address and has not ended.
  std::optional<ban_info> find(const base::ip_address& peer, base::wall_time now) const;
  std::vector<ban_info> all() const;
  // Takes out what has ended.
  std::vector<ban_info> take_ended(base::wall_time now);

 private:
  mutable std::shared_mutex mutex_;
  std::atomic<std::size_t> count_{0};
  std::map<base::ip_network, ban_info> bans_;
  std::map<std::pair<bool, int>, std::size_t> lengths_;  // IPv4 or not, prefix: how many there are
};

// Bits behind the prefix are cleared. `prefix` fits the family.
base::ip_network network_of(const base::ip_address& address, int prefix);
bool covers(const base::ip_network& wide, const base::ip_network& narrow);

}  // namespace briefwerk::server::guard

#pragma once

// Bans as text for nftables, so that packets of banned addresses stop in the kernel.

#include <cstdint>
#include <string>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/server/login_guard.hpp"

namespace briefwerk::server {

struct nft_options {
  std::string table = "briefwerk";      // in the family inet; an nftables identifier
  std::vector<std::uint16_t> ports;     // TCP ports that are closed to them; empty: all ports
  std::vector<base::ip_network> allow;  // never dropped
};

// For `nft -f -`: replaces the table as a whole, in one transaction. Interval sets banned4 and banned6, whose elements
// end by themselves with their bans, and a chain in the input hook that drops what comes from them and counts it.
// Where bans overlap, each address is dropped as long as the longest ban of it lasts.
std::string nft_ruleset(const std::vector<ban_info>& bans, const nft_options& options, base::wall_time now);

}  // namespace briefwerk::server

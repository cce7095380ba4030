#pragma once

// Whom an address stands for: a network of the size that one owner usually has.

#include <algorithm>
#include <string_view>
#include <vector>

#include "briefwerk/base/ip.hpp"

namespace briefwerk::filter {

// The octets of the /24 (IPv4) or /64 (IPv6); of different length for the two. A view into `address`.
inline std::string_view client_network(const base::ip_address& address) noexcept {
  return address.octets().substr(0, address.is_v4() ? 3 : 8);
}

inline bool is_in(const std::vector<base::ip_network>& networks, const base::ip_address& address) noexcept {
  return std::ranges::any_of(networks, [&](const base::ip_network& one) { return one.contains(address); });
}

}  // namespace briefwerk::filter

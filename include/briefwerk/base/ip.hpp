#pragma once

// IPv4 and IPv6 addresses, networks and endpoints as values, independent of any socket library.

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "briefwerk/base/result.hpp"

namespace briefwerk::base {

class ip_address {
 public:
  ip_address() = default;  // 0.0.0.0
  static ip_address v4(std::array<std::uint8_t, 4> octets) noexcept;
  static ip_address v6(std::array<std::uint8_t, 16> octets) noexcept;  // IPv4-mapped becomes IPv4
  // RFC 4291 §2.2 text or dotted decimal; no brackets, no zone.
  static result<ip_address> parse(std::string_view text);

  bool is_v4() const noexcept { return v4_; }
  bool is_v6() const noexcept { return !v4_; }
  bool is_loopback() const noexcept;
  // Four or sixteen octets, network order.
  std::string_view octets() const noexcept;
  std::string to_string() const;           // RFC 5952
  std::string to_smtp_literal() const;     // [192.0.2.1] or [IPv6:2001:db8::1], RFC 5321 §4.1.3
  std::string reverse_name() const;        // 1.2.0.192.in-addr.arpa, RFC 1035 §3.5, RFC 3596 §2.5

  auto operator<=>(const ip_address&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  bool v4_ = true;
};

struct ip_network {
  ip_address address;
  int prefix = 0;  // 0 to 32 or 128
  // "192.0.2.0/24"; without "/" one address. Bits behind the prefix are cleared; a network of IPv4-mapped addresses
  // (::ffff:0:0/96 and longer) becomes the IPv4 network.
  static result<ip_network> parse(std::string_view text);
  bool contains(const ip_address& candidate) const noexcept;  // false across families
  std::string to_string() const;
  auto operator<=>(const ip_network&) const = default;
};

struct endpoint {
  ip_address address;
  std::uint16_t port = 0;
  std::string to_string() const;  // 192.0.2.1:25, [2001:db8::1]:25
  static result<endpoint> parse(std::string_view text);
  auto operator<=>(const endpoint&) const = default;
};

}  // namespace briefwerk::base

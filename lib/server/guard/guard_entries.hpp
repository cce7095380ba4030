#pragma once

// What the guard's tables hold. Times are milliseconds since 1970; counts leak: what is written is as of `touched`.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "briefwerk/base/ip.hpp"

namespace briefwerk::server::guard {

// A text cut to its place.
template <std::size_t Size>
struct short_text {
  std::array<char, Size> octets;
  std::uint8_t size;

  void set(std::string_view text) {
    size = static_cast<std::uint8_t>(std::min(text.size(), Size));
    std::copy_n(text.data(), size, octets.data());
  }
  std::string_view view() const { return {octets.data(), size}; }
};

// A count of which one is forgiven each `forgiving` milliseconds.
inline float leaked(float count, std::int64_t since, std::int64_t now, std::int64_t forgiving) {
  const auto gone = static_cast<float>(std::max<std::int64_t>(0, now - since)) / static_cast<float>(forgiving);
  return std::max(0.0F, count - gone);
}

// An IPv4 address, an IPv6 /64 or an IPv6 /48.
struct address_entry {
  struct share {
    std::uint32_t account;  // part of the key of the name that was tried
    float count;
  };
  std::uint64_t key;
  std::array<std::uint8_t, 16> octets;
  std::int64_t touched;
  std::int64_t banned_until;  // also of the last ban that ended; 0: never banned
  std::int64_t healed;        // when a login forgave failures with other names
  float failures;             // of a /48: failing /64s
  std::array<share, 3> by_account;
  std::uint16_t bans;  // lately
  std::uint8_t prefix;
  bool v4;
  bool end_is_known;  // that the last ban has ended is in the log
  short_text<11> service;
  short_text<55> login;

  base::ip_network network() const {
    if (!v4) return {base::ip_address::v6(octets), prefix};
    return {base::ip_address::v4({octets[0], octets[1], octets[2], octets[3]}), prefix};
  }
  void set_network(const base::ip_network& of) {
    v4 = of.address.is_v4();
    prefix = static_cast<std::uint8_t>(of.prefix);
    const std::string_view raw = of.address.octets();
    std::copy(raw.begin(), raw.end(), octets.begin());
  }
  bool is_banned(std::int64_t now) const { return banned_until > now; }
  std::int64_t importance(std::int64_t now) const {
    if (is_banned(now)) return (std::int64_t{1} << 62) + banned_until;
    return touched + bans * std::int64_t{3600'000};
  }
};

struct account_entry {
  std::uint64_t key;
  std::int64_t touched;
  float failures;
  short_text<87> login;
  std::int64_t importance(std::int64_t) const { return touched + static_cast<std::int64_t>(failures) * 60'000; }
};

// An address that logged in to an account; a wrong password that was counted.
struct moment_entry {
  std::uint64_t key;
  std::int64_t seen;
  std::int64_t importance(std::int64_t) const { return seen; }
};

}  // namespace briefwerk::server::guard

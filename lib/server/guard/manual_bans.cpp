#include "server/guard/manual_bans.hpp"

#include <algorithm>
#include <array>
#include <mutex>

#include "briefwerk/base/limits.hpp"

namespace briefwerk::server::guard {

base::ip_network network_of(const base::ip_address& address, int prefix) {
  std::array<std::uint8_t, 16> octets{};
  const std::string_view raw = address.octets();
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const int left = std::clamp(prefix - static_cast<int>(i) * 8, 0, 8);
    octets[i] = static_cast<std::uint8_t>(static_cast<std::uint8_t>(raw[i]) & (0xff00 >> left));
  }
  if (address.is_v4()) return {base::ip_address::v4({octets[0], octets[1], octets[2], octets[3]}), prefix};
  return {base::ip_address::v6(octets), prefix};
}

bool covers(const base::ip_network& wide, const base::ip_network& narrow) {
  return wide.prefix <= narrow.prefix && wide.contains(narrow.address);
}

bool manual_bans::put(ban_info ban) {
  std::lock_guard lock(mutex_);
  const base::ip_network network = ban.network;
  const auto at = bans_.find(network);
  if (at != bans_.end()) {
    at->second = std::move(ban);
    return true;
  }
  if (bans_.size() >= base::limits::guard_manual_bans) return false;
  bans_.emplace(network, std::move(ban));
  ++lengths_[{network.address.is_v4(), network.prefix}];
  count_ = bans_.size();
  return true;
}

bool manual_bans::erase(const base::ip_network& network) {
  std::lock_guard lock(mutex_);
  if (bans_.erase(network) == 0) return false;
  const auto length = lengths_.find({network.address.is_v4(), network.prefix});
  if (--length->second == 0) lengths_.erase(length);
  count_ = bans_.size();
  return true;
}

std::optional<ban_info> manual_bans::find(const base::ip_address& peer, base::wall_time now) const {
  if (count_ == 0) return std::nullopt;
  std::shared_lock lock(mutex_);
  for (auto length = lengths_.rbegin(); length != lengths_.rend(); ++length) {
    if (length->first.first != peer.is_v4()) continue;
    const auto at = bans_.find(network_of(peer, length->first.second));
    if (at != bans_.end() && (!at->second.until || *at->second.until > now)) return at->second;
  }
  return std::nullopt;
}

std::vector<ban_info> manual_bans::all() const {
  std::shared_lock lock(mutex_);
  std::vector<ban_info> out;
  for (const auto& [network, ban] : bans_) out.push_back(ban);
  return out;
}

std::vector<ban_info> manual_bans::take_ended(base::wall_time now) {
  std::vector<ban_info> ended;
  for (ban_info& ban : all()) {
    if (ban.until && *ban.until <= now && erase(ban.network)) ended.push_back(std::move(ban));
  }
  return ended;
}

}  // namespace briefwerk::server::guard

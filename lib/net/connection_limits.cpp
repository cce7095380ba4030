#include <array>
#include <atomic>
#include <mutex>
#include <unordered_map>

#include "briefwerk/net/listener.hpp"

namespace briefwerk::net {
namespace {

// What one customer has: an IPv4 address, or an IPv6 /64.
base::ip_address counted_as(const base::ip_address& peer) {
  if (peer.is_v4()) return peer;
  std::array<std::uint8_t, 16> network{};
  const std::string_view octets = peer.octets();
  for (std::size_t i = 0; i < 8; ++i) network[i] = static_cast<std::uint8_t>(octets[i]);
  return base::ip_address::v6(network);
}

struct hash_address {
  std::size_t operator()(const base::ip_address& address) const noexcept {
    return std::hash<std::string_view>()(address.octets());
  }
};

}  // namespace

struct connection_limits::impl {
  std::size_t total_limit, address_limit;
  std::atomic<std::size_t> total{0};
  // A lock of short sections: one increment for each connection, far below what a handshake costs.
  std::mutex mutex;
  std::unordered_map<base::ip_address, std::size_t, hash_address> by_address;
};

namespace detail {

struct connection_permit {
  connection_permit(std::shared_ptr<connection_limits::impl> of, base::ip_address as)
      : limits(std::move(of)), address(as) {}
  ~connection_permit() {
    limits->total.fetch_sub(1);
    std::lock_guard lock(limits->mutex);
    const auto at = limits->by_address.find(address);
    if (at != limits->by_address.end() && --at->second == 0) limits->by_address.erase(at);
  }
  std::shared_ptr<connection_limits::impl> limits;
  base::ip_address address;
};

}  // namespace detail

connection_limits::connection_limits(std::size_t total, std::size_t per_address) : impl_(std::make_shared<impl>()) {
  impl_->total_limit = total;
  impl_->address_limit = per_address;
}
connection_limits::~connection_limits() = default;

std::shared_ptr<detail::connection_permit> connection_limits::admit(const base::ip_address& peer) {
  const base::ip_address key = counted_as(peer);
  std::lock_guard lock(impl_->mutex);
  if (impl_->total_limit != 0 && impl_->total.load() >= impl_->total_limit) return nullptr;
  std::size_t& count = impl_->by_address[key];
  if (impl_->address_limit != 0 && count >= impl_->address_limit) return nullptr;
  ++count;
  impl_->total.fetch_add(1);
  return std::make_shared<detail::connection_permit>(impl_, key);
}

std::size_t connection_limits::count() const noexcept { return impl_->total.load(); }

std::size_t connection_limits::count(const base::ip_address& peer) const {
  std::lock_guard lock(impl_->mutex);
  const auto at = impl_->by_address.find(counted_as(peer));
  return at == impl_->by_address.end() ? 0 : at->second;
}

}  // namespace briefwerk::net

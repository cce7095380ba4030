#include <openssl/rand.h>

#include <cstring>

#include "net/tls_state.hpp"

namespace briefwerk::net {

void ticket_keys::rotate(std::chrono::steady_clock::time_point now) {
  if (!keys_.empty() && now - keys_.front().made < rotation_) return;
  key fresh;
  RAND_bytes(fresh.name.data(), fresh.name.size());
  RAND_bytes(fresh.cipher.data(), fresh.cipher.size());
  RAND_bytes(fresh.mac.data(), fresh.mac.size());
  fresh.made = now;
  keys_.push_front(fresh);
  if (keys_.size() > 2) {
    OPENSSL_cleanse(&keys_.back(), sizeof(key));
    keys_.pop_back();
  }
}

ticket_keys::key ticket_keys::current() {
  std::lock_guard lock(mutex_);
  rotate(std::chrono::steady_clock::now());
  return keys_.front();
}

bool ticket_keys::find(const std::uint8_t* name, key& found, bool& renew) {
  std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  rotate(now);
  for (const key& each : keys_) {
    if (std::memcmp(each.name.data(), name, each.name.size()) != 0 || now - each.made >= 2 * rotation_) continue;
    found = each;
    renew = &each != &keys_.front();
    return true;
  }
  return false;
}

void session_cache::put(const std::string& host, bssl::UniquePtr<SSL_SESSION> session) {
  std::lock_guard lock(mutex_);
  const auto [at, is_new] = sessions_.insert_or_assign(host, std::move(session));
  if (!is_new) return;
  order_.push_back(host);
  while (order_.size() > most_) {
    sessions_.erase(order_.front());
    order_.pop_front();
  }
}

bssl::UniquePtr<SSL_SESSION> session_cache::take(const std::string& host) {
  std::lock_guard lock(mutex_);
  const auto at = sessions_.find(host);
  if (at == sessions_.end()) return nullptr;
  bssl::UniquePtr<SSL_SESSION> out = std::move(at->second);
  sessions_.erase(at);
  std::erase(order_, host);
  return out;
}

}  // namespace briefwerk::net

#pragma once

// Who watches which partition. A callback runs under its shard's lock, so that the end of a subscription waits for
// it and nothing runs afterwards.

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "briefwerk/store/engine.hpp"

namespace briefwerk::store {

struct text_hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>{}(s); }
};

class watchers {
 public:
  using callback = watch_function;

  subscription add(std::string_view partition, callback changed) {
    auto& where = shard_of(partition);
    auto entry = std::make_unique<callback>(std::move(changed));
    callback* const key = entry.get();
    {
      std::lock_guard lock(where.mutex);
      where.of[std::string(partition)].push_back(std::move(entry));
    }
    return subscription([this, name = std::string(partition), key] { remove(name, key); });
  }

  void publish(std::string_view partition, const commit_notice& notice) {
    auto& where = shard_of(partition);
    std::lock_guard lock(where.mutex);
    const auto at = where.of.find(partition);
    if (at == where.of.end()) return;
    for (auto& changed : at->second) (*changed)(notice);
  }

 private:
  struct shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::vector<std::unique_ptr<callback>>, text_hash, std::equal_to<>> of;
  };

  void remove(const std::string& partition, const callback* key) {
    auto& where = shard_of(partition);
    std::unique_ptr<callback> gone;  // destroyed without the lock: what it captured may have destructors that lock
    std::lock_guard lock(where.mutex);
    const auto at = where.of.find(partition);
    if (at == where.of.end()) return;
    auto& list = at->second;
    for (auto& entry : list) {
      if (entry.get() != key) continue;
      gone = std::move(entry);
      entry = std::move(list.back());
      list.pop_back();
      break;
    }
    if (list.empty()) where.of.erase(at);
  }

  shard& shard_of(std::string_view partition) { return shards_[text_hash{}(partition) % shards_.size()]; }

  std::array<shard, 32> shards_;
};

}  // namespace briefwerk::store

#pragma once

// Answers kept for their time to live, the least recently used go first. One thread's own.

#include <chrono>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "briefwerk/base/resolver.hpp"

namespace briefwerk::net {

class dns_cache {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  explicit dns_cache(std::size_t most) : most_(most) {}

  // With the time to live that is left.
  std::optional<base::dns_answer> find(const std::string& key, time_point now) {
    const auto at = index_.find(key);
    if (at == index_.end()) return std::nullopt;
    if (at->second->until <= now) {
      entries_.erase(at->second);
      index_.erase(at);
      return std::nullopt;
    }
    entries_.splice(entries_.begin(), entries_, at->second);
    base::dns_answer out = at->second->answer;
    out.ttl = std::chrono::duration_cast<std::chrono::seconds>(at->second->until - now);
    return out;
  }

  void put(const std::string& key, const base::dns_answer& answer, time_point until) {
    if (most_ == 0) return;
    if (const auto at = index_.find(key); at != index_.end()) {
      entries_.erase(at->second);
      index_.erase(at);
    }
    entries_.push_front({key, answer, until});
    index_[key] = entries_.begin();
    if (entries_.size() <= most_) return;
    index_.erase(entries_.back().key);
    entries_.pop_back();
  }

 private:
  struct entry {
    std::string key;
    base::dns_answer answer;
    time_point until;
  };
  std::size_t most_;
  std::list<entry> entries_;
  std::unordered_map<std::string, std::list<entry>::iterator> index_;
};

}  // namespace briefwerk::net

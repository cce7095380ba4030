#pragma once

// Which blobs earlier collections found dead, and since when: a blob is freed only when two collections, its grace
// apart, agree. Kept in memory; after a restart the grace begins anew.

#include <unordered_map>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/store/blob.hpp"

namespace briefwerk::store {

class dead_ledger {
 public:
  void begin(base::steady_time now) {
    now_ = now;
    next_.clear();
  }
  // True when the blob has been dead for the grace; else it is remembered.
  bool ripe(const blob_ref& ref, std::chrono::milliseconds grace) {
    const auto at = since_.find(ref);
    const base::steady_time since = at == since_.end() ? now_ : at->second;
    if (now_ - since >= grace) return true;
    next_.emplace(ref, since);
    return false;
  }
  void end() { since_.swap(next_); }

 private:
  base::steady_time now_;
  std::unordered_map<blob_ref, base::steady_time> since_, next_;
};

}  // namespace briefwerk::store

#pragma once

// What may name a partition or a key, and how large a value may be: the same for every engine.

#include <string_view>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/store/engine.hpp"

namespace briefwerk::store {

inline bool good_partition(std::string_view name) noexcept {
  return !name.empty() && name.size() <= base::limits::store_partition && name.find('\0') == name.npos;
}

inline bool good_batch(const batch& writes) noexcept {
  for (const auto& [key, value] : writes.writes()) {
    if (key.empty() || key.size() > base::limits::store_key) return false;
    if (value && value->size() > base::limits::store_value) return false;
  }
  return true;
}

inline bool good_change(const change& c) noexcept {
  return c.writes != nullptr && good_partition(c.partition) && good_batch(*c.writes);
}

}  // namespace briefwerk::store

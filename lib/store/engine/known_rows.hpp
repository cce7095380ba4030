#pragma once

// Rows that the commit thread read or wrote lately: what one delivery reads (counters of mailbox and account), the
// last delivery to the same account wrote. Keyed by the partition's version, so another writer makes them void.

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "briefwerk/store/engine.hpp"
#include "store/engine/watchers.hpp"

namespace briefwerk::store {

// Of one partition, as of one version. A row that is known to be missing has no octets.
class known_rows {
 public:
  known_rows() = default;
  explicit known_rows(version_number as_of) noexcept : version(as_of) {}

  version_number version = 0;

  const std::optional<octets>* find(std::string_view key) const noexcept {
    for (const auto& [name, value] : rows_)
      if (name == key) return &value;
    return nullptr;
  }
  // Only small rows, and not many of them, are worth their place.
  void remember(std::string_view key, const std::optional<octets>& value) {
    if (rows_.size() >= most_rows || (value && value->size() > most_octets)) return;
    // A copy, so that no block of the engine's cache is pinned.
    rows_.emplace_back(std::string(key), value ? std::optional(octets::copy(value->view())) : std::nullopt);
  }
  void update(const batch& written) {
    std::erase_if(rows_, [&](auto& row) {
      const auto at = written.writes().find(row.first);
      if (at == written.writes().end()) return false;
      row.second.reset();
      if (!at->second) return false;
      if (at->second->size() > most_octets) return true;
      row.second = octets::copy(*at->second);
      return false;
    });
  }
  std::size_t cost() const noexcept {
    constexpr std::size_t row_cost = 160;  // of strings and shared octets, by estimate
    std::size_t sum = row_cost;
    for (const auto& [name, value] : rows_) sum += row_cost + name.size() + (value ? value->size() : 0);
    return sum;
  }

 private:
  static constexpr std::size_t most_rows = 16, most_octets = 1024;

  std::vector<std::pair<std::string, std::optional<octets>>> rows_;
};

// Belongs to one thread. Emptied when its bound is reached.
class row_cache {
 public:
  explicit row_cache(std::size_t most_octets) : most_octets_(most_octets) {}

  // Taken out: whoever took it puts it back when it still holds.
  known_rows take(std::string_view partition, version_number version) {
    known_rows found;
    if (const auto at = of_.find(partition); at != of_.end()) {
      octets_ -= at->second.cost();
      found = std::move(at->second);
      of_.erase(at);
    }
    if (found.version != version) found = known_rows();
    found.version = version;
    return found;
  }
  void put(const std::string& partition, known_rows rows) {
    octets_ += rows.cost();
    if (octets_ > most_octets_) {
      of_.clear();
      octets_ = rows.cost();
    }
    of_.insert_or_assign(partition, std::move(rows));
  }

 private:
  const std::size_t most_octets_;
  std::size_t octets_ = 0;
  std::unordered_map<std::string, known_rows, text_hash, std::equal_to<>> of_;
};

}  // namespace briefwerk::store

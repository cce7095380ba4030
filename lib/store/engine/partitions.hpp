#pragma once

// What is known of partitions without asking the index: their versions since the opening, and rows that were asked for one by
// one. What a server asks for again and again, as how full an account is for each recipient, is written as often, and
// an index finds the newest of many writes slowly.

#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "briefwerk/store/engine.hpp"
#include "store/engine/known_rows.hpp"
#include "store/engine/watchers.hpp"

namespace briefwerk::store {

// Thread-safe.
class partitions {
 public:
  // Of rows; where more would be kept, all are forgotten.
  explicit partitions(std::size_t most_octets) : most_octets_(most_octets) {}

  // Of those that nothing was committed to since. Before any other call.
  void begin(version_number first) noexcept { first_ = first; }

  version_number version(std::string_view partition) const {
    std::shared_lock lock(mutex_);
    const auto at = of_.find(partition);
    return at == of_.end() ? first_ : at->second.version;
  }

  // The row as of the version answered; nothing where it is not known.
  using known_row = std::optional<std::optional<octets>>;
  std::pair<version_number, known_row> find(std::string_view partition, std::string_view key) const {
    std::shared_lock lock(mutex_);
    const auto at = of_.find(partition);
    if (at == of_.end()) return {first_, std::nullopt};
    const auto* const row = at->second.find(key);
    return {at->second.version, row == nullptr ? known_row() : known_row(std::in_place, *row)};
  }

  // A row that was read after find() answered `asked`: kept where that is the version still.
  void remember(std::string_view partition, version_number asked, std::string_view key, const std::optional<octets>& value) {
    std::lock_guard lock(mutex_);
    auto at = of_.find(partition);
    if ((at == of_.end() ? first_ : at->second.version) != asked) return;
    if (at == of_.end()) {
      at = of_.try_emplace(std::string(partition)).first;
      at->second.version = first_;
    }
    known_rows& known = at->second;
    if (known.find(key) != nullptr) return;
    const std::size_t before = known.cost();
    known.remember(key, value);
    octets_ += known.cost() - before;
    if (octets_ > most_octets_) forget_rows();
  }

  // `writes`: all that led to this version; null where nobody knows.
  void committed(std::string_view partition, version_number now, const batch* writes) {
    std::lock_guard lock(mutex_);
    auto at = of_.find(partition);
    if (at == of_.end()) at = of_.try_emplace(std::string(partition)).first;
    known_rows& known = at->second;
    known.version = now;
    const std::size_t before = known.cost();
    if (writes != nullptr)
      known.update(*writes);
    else
      known = known_rows(now);
    octets_ += known.cost();
    octets_ -= before;
  }

 private:
  void forget_rows() {
    for (auto& [name, known] : of_) known = known_rows(known.version);
    octets_ = 0;
  }

  const std::size_t most_octets_;
  mutable std::shared_mutex mutex_;
  version_number first_ = 0;
  std::size_t octets_ = 0;
  std::unordered_map<std::string, known_rows, text_hash, std::equal_to<>> of_;
};

}  // namespace briefwerk::store

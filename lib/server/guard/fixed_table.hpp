#pragma once

// A table of fixed size for entries that may be forgotten: sets of eight neighbours, chosen by the key; in a full set
// the least important entry makes room. No allocation after the construction, memory is touched only where entries
// are; each set has one of 64 locks.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <type_traits>

namespace briefwerk::server::guard {

// Entry: trivial, `std::uint64_t key` (0: free; keys are hashes that nobody outside can choose), and
// `std::int64_t importance(std::int64_t now) const`.
template <class Entry>
class fixed_table {
  static_assert(std::is_trivially_copyable_v<Entry> && std::is_trivially_destructible_v<Entry>);

 public:
  static constexpr std::size_t ways = 8;

  explicit fixed_table(std::size_t capacity) : sets_(std::bit_ceil(std::max<std::size_t>(1, capacity / ways))) {
    // Zeroes that the system makes when they are touched.
    memory_.reset(static_cast<Entry*>(std::calloc(sets_ * ways, sizeof(Entry))));
    if (!memory_) throw std::bad_alloc();
  }

  // use(entry) under the lock. False: no such entry.
  template <class Use>
  bool find(std::uint64_t key, Use use) const {
    key = usable(key);
    std::lock_guard lock(lock_of(key));
    Entry* const set = set_of(key);
    for (std::size_t i = 0; i < ways; ++i) {
      if (set[i].key != key) continue;
      use(set[i]);
      return true;
    }
    return false;
  }

  // use(entry, displaced) under the lock; a new entry is all zero but for its key, and `displaced` is what had to go
  // for it (null: nothing).
  template <class Use>
  void insert(std::uint64_t key, std::int64_t now, Use use) {
    key = usable(key);
    std::lock_guard lock(lock_of(key));
    Entry* const set = set_of(key);
    Entry* least = set;
    for (std::size_t i = 0; i < ways; ++i) {
      if (set[i].key == key) return use(set[i], static_cast<const Entry*>(nullptr));
      if (least->key == 0) continue;
      if (set[i].key == 0 || set[i].importance(now) < least->importance(now)) least = &set[i];
    }
    const Entry before = *least;
    *least = Entry{};
    least->key = key;
    use(*least, before.key != 0 ? &before : static_cast<const Entry*>(nullptr));
  }

  bool erase(std::uint64_t key) {
    return find(key, [](Entry& entry) { entry = Entry{}; });
  }

  // use(entry) for each, a set at a time under its lock; false frees the entry.
  template <class Use>
  void for_each(Use use) const {
    for (std::size_t set = 0; set < sets_; ++set) {
      std::lock_guard lock(locks_[set % locks_.size()]);
      for (std::size_t i = set * ways; i < (set + 1) * ways; ++i) {
        Entry& entry = memory_.get()[i];
        if (entry.key != 0 && !use(entry)) entry = Entry{};
      }
    }
  }

 private:
  struct freer {
    void operator()(Entry* memory) const noexcept { std::free(memory); }
  };
  static std::uint64_t usable(std::uint64_t key) noexcept { return key == 0 ? 1 : key; }
  std::size_t index_of(std::uint64_t key) const noexcept { return key & (sets_ - 1); }
  Entry* set_of(std::uint64_t key) const noexcept { return memory_.get() + index_of(key) * ways; }
  std::mutex& lock_of(std::uint64_t key) const noexcept { return locks_[index_of(key) % locks_.size()]; }

  const std::size_t sets_;
  std::unique_ptr<Entry, freer> memory_;
  mutable std::array<std::mutex, 64> locks_;
};

}  // namespace briefwerk::server::guard

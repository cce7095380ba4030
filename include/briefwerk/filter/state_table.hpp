#pragma once

// A bounded table of small values by keyed hash, for many threads at once. Keys are kept as hashes only: who reads the
// table or its file learns no address. Full, it drops what expires soonest of a few entries at random places.
//
//   struct seen { std::int64_t expires; std::uint32_t count; };       // trivially copyable; `expires` in Unix seconds
//   state_table<seen> table(100000, hash_key);
//   const bool first = table.update(table.key_of({network, sender}), now, [](seen& s) { return s.count++ == 0; });

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "briefwerk/base/siphash.hpp"
#include "briefwerk/filter/state_store.hpp"

namespace briefwerk::filter {

using state_key = base::hash128;

template <class T>
concept state_value = std::is_trivially_copyable_v<T> && requires(T v) {
  { v.expires } -> std::same_as<std::int64_t&>;
};

// What a writer-behind needs of a table; from one thread at a time.
class kept_table {
 public:
  virtual ~kept_table() = default;
  // At the start, before the first change.
  virtual base::status load(state_store& from, std::int64_t now) = 0;
  // Writes what changed since the last call, and removes a part of what has expired: to be called every few seconds.
  virtual void save(state_store& to, std::int64_t now) = 0;
};

template <state_value Value>
class state_table final : public kept_table {
 public:
  // `capacity`: entries at most. The key must be the same at each start, or nothing that was kept is found again.
  state_table(std::size_t capacity, base::siphash_key hash_key)
      : hash_key_(hash_key), stripe_capacity_(std::max<std::size_t>(capacity / stripe_count, 16)) {}

  // The parts stand apart: {"ab", "c"} and {"a", "bc"} are two keys.
  state_key key_of(std::initializer_list<std::string_view> parts) const noexcept {
    std::array<char, 512> room;
    std::size_t size = 0;
    for (std::string_view part : parts) {
      if (room.size() - size < part.size() + 2) return key_of_long(parts);
      room[size++] = static_cast<char>(part.size() & 0xff);
      room[size++] = static_cast<char>(part.size() >> 8 & 0xff);
      if (!part.empty()) std::memcpy(room.data() + size, part.data(), part.size());
      size += part.size();
    }
    return base::siphash(hash_key_, {room.data(), size});
  }

  // Calls change(value) under the entry's lock and answers what it answers. A value that is new, or has expired by
  // `now`, is Value{}; change() sets `expires` anew. One whose `expires` is then not after `now` is dropped.
  template <class Change>
  auto update(const state_key& key, std::int64_t now, Change change) {
    stripe& in = stripe_of(key);
    std::lock_guard lock(in.mutex);
    slot& at = in.place_for(key, now, stripe_capacity_);
    if (at.value.expires <= now) at.value = Value{};
    struct finish {  // also when change() answers nothing
      ~finish() {
        if (!at.dirty) in.dirty.push_back(at.key);
        at.dirty = true;
        if (at.value.expires <= now) at.value.expires = 0;
      }
      stripe& in;
      slot& at;
      std::int64_t now;
    } const done{in, at, now};
    return change(at.value);
  }

  std::optional<Value> find(const state_key& key, std::int64_t now) const {
    const stripe& in = stripe_of(key);
    std::lock_guard lock(in.mutex);
    const slot* at = in.find(key);
    if (!at || at->value.expires <= now) return std::nullopt;
    return at->value;
  }

  void erase(const state_key& key) {
    stripe& in = stripe_of(key);
    std::lock_guard lock(in.mutex);
    slot* at = in.find(key);
    if (!at) return;
    at->value = Value{};
    if (!at->dirty) in.dirty.push_back(key);
    at->dirty = true;
  }

  // Erases each entry whose key is meant; a stripe at a time under its lock.
  template <class Meant>
  std::size_t erase_if(Meant meant) {
    std::size_t count = 0;
    for (stripe& in : stripes_) {
      std::lock_guard lock(in.mutex);
      for (slot& one : in.slots) {
        if (!one.used || one.value.expires == 0 || !meant(one.key)) continue;
        ++count;
        one.value = Value{};
        if (!one.dirty) in.dirty.push_back(one.key);
        one.dirty = true;
      }
    }
    return count;
  }

  // use(key, value) for each entry that has not expired, a stripe at a time under its lock: use() must not call the table.
  template <class Use>
  void for_each(std::int64_t now, Use use) const {
    for (const stripe& in : stripes_) {
      std::lock_guard lock(in.mutex);
      for (const slot& one : in.slots) {
        if (one.used && one.value.expires > now) use(one.key, one.value);
      }
    }
  }

  // Entries, expired ones included that nothing has displaced yet.
  std::size_t size() const {
    std::size_t sum = 0;
    for (const stripe& in : stripes_) {
      std::lock_guard lock(in.mutex);
      sum += in.used;
    }
    return sum;
  }

  base::status load(state_store& from, std::int64_t now) override {
    return from.load([&](std::string_view row, std::string_view octets) {
      if (row.size() != sizeof(state_key) || octets.size() != sizeof(Value)) return;  // of another version
      state_key key;
      Value value;
      std::memcpy(&key, row.data(), sizeof key);
      std::memcpy(&value, octets.data(), sizeof value);
      stripe& in = stripe_of(key);
      std::lock_guard lock(in.mutex);
      if (value.expires > now) in.place_for(key, now, stripe_capacity_).value = value;
      else in.gone.push_back(key);
    });
  }

  void save(state_store& to, std::int64_t now) override {
    stripes_[swept_++ % stripe_count].sweep(now);
    std::vector<std::pair<state_key, Value>> changed;
    std::vector<state_key> gone;
    for (stripe& in : stripes_) {
      {
        std::lock_guard lock(in.mutex);
        gone.swap(in.gone);
        for (const state_key& key : in.dirty) {
          slot* at = in.find(key);
          if (!at || !std::exchange(at->dirty, false)) continue;
          if (at->value.expires == 0) gone.push_back(key);
          else changed.emplace_back(key, at->value);
        }
        in.dirty.clear();
      }
      for (const auto& key : gone) to.erase(octets_of(key));  // before what was put there again
      for (const auto& [key, value] : changed) to.put(octets_of(key), octets_of(value));
      gone.clear();
      changed.clear();
    }
  }

 private:
  static constexpr std::size_t stripe_count = 64;
  static constexpr int evictees = 16;  // looked at when one has to go
  static_assert(std::endian::native == std::endian::little, "rows are kept as they lie in memory");

  struct slot {
    state_key key;
    Value value{};
    bool used = false, dirty = false;
  };

  // Open addressing with linear probing; grows to its bound, then drops.
  struct stripe {
    mutable std::mutex mutex;
    std::vector<slot> slots;
    std::vector<state_key> dirty, gone;  // changed; dropped from memory and still among the rows
    std::size_t used = 0;
    std::uint64_t random = 0x9e3779b97f4a7c15;

    std::size_t home(const state_key& key) const noexcept { return key.high & (slots.size() - 1); }
    std::size_t next(std::size_t at) const noexcept { return (at + 1) & (slots.size() - 1); }

    // The key's place, or the free one where it would stand. There always is a free one.
    std::size_t locate(const state_key& key) const noexcept {
      std::size_t at = home(key);
      while (slots[at].used && slots[at].key != key) at = next(at);
      return at;
    }
    const slot* find(const state_key& key) const noexcept {
      if (slots.empty()) return nullptr;
      const slot& at = slots[locate(key)];
      return at.used ? &at : nullptr;
    }
    slot* find(const state_key& key) noexcept { return const_cast<slot*>(std::as_const(*this).find(key)); }

    slot& place_for(const state_key& key, std::int64_t now, std::size_t capacity) {
      if (slot* there = find(key)) return *there;
      if (used >= capacity) make_room(now);
      if ((used + 1) * 4 > slots.size() * 3) grow();
      slot& at = slots[locate(key)];
      at = {.key = key, .value = Value{}, .used = true};
      ++used;
      return at;
    }

    void grow() {
      std::vector<slot> before(std::max<std::size_t>(slots.size() * 2, 16));
      before.swap(slots);
      for (slot& one : before) {
        if (one.used) slots[locate(one.key)] = one;
      }
    }

    void make_room(std::int64_t now) {
      random = random * 6364136223846793005 + 1442695040888963407;
      std::size_t at = (random >> 33) & (slots.size() - 1), victim = slots.size();
      for (int looked = 0; looked < evictees;) {
        if (slots[at].used) {
          ++looked;
          if (victim == slots.size() || slots[at].value.expires < slots[victim].value.expires) victim = at;
          if (slots[victim].value.expires <= now) break;
        }
        at = next(at);
      }
      gone.push_back(slots[victim].key);
      remove(victim);
    }

    void sweep(std::int64_t now) {
      std::lock_guard lock(mutex);
      for (std::size_t at = 0; at < slots.size();) {
        if (!slots[at].used || slots[at].value.expires > now) {
          ++at;
          continue;
        }
        gone.push_back(slots[at].key);
        remove(at);  // another entry may stand there now
      }
    }

    // Moves back what stands behind its home because of the removed one.
    void remove(std::size_t hole) noexcept {
      --used;
      for (std::size_t at = next(hole); slots[at].used; at = next(at)) {
        const std::size_t from = home(slots[at].key);
        const bool stays = hole <= at ? (hole < from && from <= at) : (hole < from || from <= at);
        if (stays) continue;
        slots[hole] = slots[at];
        hole = at;
      }
      slots[hole] = {};
    }
  };

  stripe& stripe_of(const state_key& key) noexcept { return stripes_[key.low % stripe_count]; }
  const stripe& stripe_of(const state_key& key) const noexcept { return stripes_[key.low % stripe_count]; }

  state_key key_of_long(std::initializer_list<std::string_view> parts) const {
    std::string all;
    for (std::string_view part : parts) all.append(std::to_string(part.size())).append(" ").append(part);
    return base::siphash(hash_key_, all);
  }

  template <class T>
  static std::string octets_of(const T& value) {
    std::string out(sizeof value, '\0');
    std::memcpy(out.data(), &value, sizeof value);
    return out;
  }

  base::siphash_key hash_key_;
  std::size_t stripe_capacity_;
  std::array<stripe, stripe_count> stripes_;
  std::size_t swept_ = 0;  // of the thread that saves
};

}  // namespace briefwerk::filter

#pragma once

// Tables of what was read of messages, by mailbox, for all sessions of a service: bounded by octets, the least recently
// used goes first, and what nobody used for a while goes as well. Thread-safe.

#include <chrono>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::server::imap {

template <class Table>
class table_cache {
 public:
  static constexpr std::chrono::minutes idle{10};

  // `held` tells the octets; null: nobody wants to know. Both must live until stop().
  table_cache(std::uint64_t most_octets, const base::clock& time, base::counter* held)
      : most_octets_(most_octets), time_(&time), held_(held) {}
  table_cache(const table_cache&) = delete;

  std::uint64_t most_octets() const noexcept { return most_octets_; }

  // The mailbox's table; an empty one where none is kept.
  std::shared_ptr<Table> get(const store::account_id& account, store::mailbox_id mailbox, std::uint32_t uid_validity) {
    const std::string name = name_of(account, mailbox);
    order gone;  // freed without the lock
    std::lock_guard lock(mutex_);
    const auto found = places_.find(name);
    if (found == places_.end()) return std::make_shared<Table>();
    if (found->second->uid_validity != uid_validity) {
      move_out(found->second, gone);
      return std::make_shared<Table>();
    }
    if (time_ != nullptr) found->second->used = time_->steady();
    used_.splice(used_.begin(), used_, found->second);
    return found->second->table;
  }

  // Keeps the table, which has so many octets of memory; not if that alone is too much.
  void put(const store::account_id& account, store::mailbox_id mailbox, std::uint32_t uid_validity,
           std::shared_ptr<Table> table, std::uint64_t octets) {
    std::string name = name_of(account, mailbox);
    order gone;
    std::lock_guard lock(mutex_);
    if (const auto found = places_.find(name); found != places_.end()) move_out(found->second, gone);
    if (octets > most_octets_ || time_ == nullptr) return;
    used_.push_front({std::move(name), uid_validity, std::move(table), octets, time_->steady()});
    places_.emplace(used_.front().mailbox, used_.begin());
    count(static_cast<std::int64_t>(octets));
    while (octets_ > most_octets_) move_out(std::prev(used_.end()), gone);
  }

  // True for one caller, who then calls drop_idle() every now and then until it answers false.
  bool wants_sweeper() {
    std::lock_guard lock(mutex_);
    return !used_.empty() && !std::exchange(swept_, true);
  }
  // Drops what was not used for so long. False: nothing is left.
  bool drop_idle() {
    order gone;
    std::lock_guard lock(mutex_);
    if (time_ == nullptr) return false;
    const auto now = time_->steady();
    while (!used_.empty() && used_.back().used + idle <= now) move_out(std::prev(used_.end()), gone);
    return swept_ = !used_.empty();
  }
  // Everything goes; neither clock nor counter are used any more.
  void stop() {
    order gone;
    std::lock_guard lock(mutex_);
    while (!used_.empty()) move_out(used_.begin(), gone);
    time_ = nullptr;
    held_ = nullptr;
  }

  std::uint64_t octets() const {
    std::lock_guard lock(mutex_);
    return octets_;
  }

 private:
  struct place {
    std::string mailbox;
    std::uint32_t uid_validity = 0;
    std::shared_ptr<Table> table;
    std::uint64_t octets = 0;
    base::steady_time used;
  };
  using order = std::list<place>;

  static std::string name_of(const store::account_id& account, store::mailbox_id mailbox) {
    return account + "/" + std::to_string(mailbox);
  }
  void move_out(order::iterator at, order& gone) {
    count(-static_cast<std::int64_t>(at->octets));
    places_.erase(at->mailbox);
    gone.splice(gone.end(), used_, at);
  }
  void count(std::int64_t octets) noexcept {
    octets_ += static_cast<std::uint64_t>(octets);
    if (held_ != nullptr) held_->add(octets);
  }

  const std::uint64_t most_octets_;
  mutable std::mutex mutex_;
  const base::clock* time_;  // null: stopped
  base::counter* held_;
  order used_;  // latest first
  std::unordered_map<std::string_view, typename order::iterator> places_;  // by the names in used_
  std::uint64_t octets_ = 0;
  bool swept_ = false;
};

}  // namespace briefwerk::server::imap

#pragma once

// The tables of what SORT compares, by mailbox, for all sessions of a service: bounded by octets, the least recently used
// goes first, and what nobody used for a while goes as well. Thread-safe.

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/store/mailbox_store.hpp"
#include "sort_table.hpp"

namespace briefwerk::server::imap {

// One table, used by one session at a time.
struct shared_sort_table {
  std::mutex mutex;
  sort_table table;
};

class sort_tables {
 public:
  static constexpr std::chrono::minutes idle{10};
  // Mailboxes of fewer messages are read anew.
  static constexpr std::size_t least_messages = 256;

  // `held` tells the octets; null: nobody wants to know. Both must live until stop().
  sort_tables(std::uint64_t most_octets, const base::clock& time, base::counter* held)
      : most_octets_(most_octets), time_(&time), held_(held) {}
  sort_tables(const sort_tables&) = delete;

  // As many messages as a table that is kept can have, by estimate.
  std::size_t most_messages() const noexcept;
  // The mailbox's table; an empty one where none is kept.
  std::shared_ptr<shared_sort_table> get(const store::account_id& account, store::mailbox_id mailbox,
                                         std::uint32_t uid_validity);
  // Keeps the table, which has so many octets of memory; not if that alone is too much.
  void put(const store::account_id& account, store::mailbox_id mailbox, std::uint32_t uid_validity,
           std::shared_ptr<shared_sort_table> table, std::uint64_t octets);
  void drop(const store::account_id& account, store::mailbox_id mailbox);

  // True for one caller, who then calls drop_idle() every now and then until it answers false.
  bool wants_sweeper();
  // Drops what was not used for so long. False: nothing is left.
  bool drop_idle();
  // Everything goes; neither clock nor counter are used any more.
  void stop();

  std::uint64_t octets() const;

 private:
  struct place {
    std::string mailbox;
    std::uint32_t uid_validity = 0;
    std::shared_ptr<shared_sort_table> table;
    std::uint64_t octets = 0;
    base::steady_time used;
  };
  using order = std::list<place>;
  static std::string name_of(const store::account_id& account, store::mailbox_id mailbox);
  void move_out(order::iterator at, order& gone);
  void count(std::int64_t octets) noexcept;

  const std::uint64_t most_octets_;
  mutable std::mutex mutex_;
  const base::clock* time_;  // null: stopped
  base::counter* held_;
  order used_;  // latest first
  std::unordered_map<std::string_view, order::iterator> places_;  // by the names in used_
  std::uint64_t octets_ = 0;
  bool swept_ = false;
};

}  // namespace briefwerk::server::imap

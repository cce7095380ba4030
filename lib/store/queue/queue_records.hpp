#pragma once

// The partition "q": keys and values of the queue, and its changes as steps of a transaction.
// lib/store/FORMAT.md describes them.

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/store/engine.hpp"
#include "briefwerk/store/queue_item.hpp"
#include "store/mailbox/faults.hpp"

namespace briefwerk::store {

namespace queue_keys {
inline constexpr std::string_view count = "N";
inline constexpr char item = 'I';  // I id
inline constexpr char due = 'T';   // T next attempt, id -> empty
std::string of_item(std::string_view id);
std::string of_due(std::int64_t next_attempt, std::string_view id);
// Nothing for a key that is none.
struct due_entry {
  std::int64_t next_attempt = 0;
  std::string_view id;
};
std::optional<due_entry> parse_due(std::string_view key);
}  // namespace queue_keys

std::string encode(const queue_item& item);
// The id is the key's. errc::corrupt.
base::result<queue_item> decode_queue_item(std::string_view value, std::string_view id);

// Makes the ids of items: ascending in the order in which they were made, so that a list shows what arrived first at the
// top; not to be guessed. Thread-safe.
class queue_ids {
 public:
  std::string make(const base::clock& time, const base::crypto& random);

 private:
  std::atomic<std::uint64_t> last_ = 0;  // milliseconds since 1970, and 16 bits that count within one
};

// Reads and changes the queue through the view and the batch of one step. What was put into the batch is not seen by
// later reads, so an item may be changed once in a step.
class queue_writer {
 public:
  queue_writer(const view& now, const faults& report, batch& out) : now_(now), report_(report), out_(out) {}

  base::status insert(const queue_item& item);   // base::errc::already_exists
  base::status replace(const queue_item& item);  // base::errc::not_found; the message stays that of the stored item
  base::status remove(std::string_view id);      // base::errc::not_found
  base::status finish();                         // writes the number of items

 private:
  const view& now_;
  const faults& report_;
  batch& out_;
  std::int64_t added_ = 0;
};

base::result<std::optional<queue_item>> read_queue_item(const view& now, const faults& report, std::string_view id);
// The same, where the caller reports what is damaged.
base::result<std::optional<queue_item>> read_queue_item(const view& now, std::string_view id);
base::result<std::uint64_t> read_queue_count(const view& now, const faults& report);

}  // namespace briefwerk::store

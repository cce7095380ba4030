#pragma once

// Snapshots of mailboxes: loaded from a view, brought up to date from an older one, and kept.

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "store/mailbox/account_reader.hpp"

namespace briefwerk::store {

struct loaded_snapshot {
  snapshot_ptr snapshot;
  std::uint64_t changes = 0;  // head_record::changes
};

base::result<loaded_snapshot> load_snapshot(const account_reader& read, mailbox_id id, const head_record& head);

// From an older snapshot of the same mailbox, sharing the pages that did not change. Nothing when the history does
// not reach back, or more than `most_pages` pages are to be read: load it then.
base::result<std::optional<loaded_snapshot>> refresh_snapshot(const account_reader& read, mailbox_id id,
                                                              const head_record& head, const loaded_snapshot& before,
                                                              std::size_t most_pages);

// A page whose messages have other flags than before.
struct changed_page {
  std::uint32_t number = 0;
  page_states states;
};

// What `before` becomes by one change of flags, without reading: `head` and the pages are as the change left them. Nothing
// where they do not fit together.
std::optional<loaded_snapshot> with_changed_flags(mailbox_id id, const head_record& head, const loaded_snapshot& before,
                                                  std::span<const changed_page> pages);

// Bounded by octets; the least recently used goes first. Thread-safe. What it holds is only ever used together with
// the version of the partition, or the modseq of the mailbox, that it was read at.
class snapshot_cache {
 public:
  struct entry {
    loaded_snapshot loaded;
    version_number version = 0;  // of the partition
  };

  explicit snapshot_cache(std::uint64_t most_octets) : most_octets_(most_octets) {}
  std::optional<entry> get(std::string_view partition, mailbox_id id);
  void put(std::string_view partition, mailbox_id id, entry value);
  void drop(std::string_view partition, mailbox_id id);

 private:
  struct key_view {
    std::string_view partition;
    mailbox_id id;
    bool operator==(const key_view&) const = default;
  };
  struct hash {
    std::size_t operator()(const key_view& key) const noexcept {
      return std::hash<std::string_view>{}(key.partition) ^ (key.id * 0x9e3779b97f4a7c15u);
    }
  };
  struct place {
    std::string partition;
    mailbox_id id;
    entry value;
    std::uint64_t octets;
  };
  using order = std::list<place>;

  const std::uint64_t most_octets_;
  std::mutex mutex_;
  order used_;  // latest first
  std::unordered_map<key_view, order::iterator, hash> places_;
  std::uint64_t octets_ = 0;
};

}  // namespace briefwerk::store

#pragma once

// The tables of what SORT compares, by mailbox, for all sessions of a service.

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "sort_table.hpp"
#include "table_cache.hpp"

namespace briefwerk::server::imap {

// One table, used by one session at a time.
struct shared_sort_table {
  std::mutex mutex;
  sort_table table;
};

class sort_tables : public table_cache<shared_sort_table> {
 public:
  // Mailboxes of fewer messages are read anew.
  static constexpr std::size_t least_messages = 256;

  using table_cache::table_cache;

  // As many messages as a table that is kept can have, by estimate.
  std::size_t most_messages() const noexcept {
    constexpr std::uint64_t octets_of_one = 96;
    return most_octets() / octets_of_one;
  }
};

}  // namespace briefwerk::server::imap

#pragma once

// The embedded engine: a journal of segment files holds the messages and makes commits durable with one sync, RocksDB
// keeps the index. One process at a time has it open. The folder's format: lib/store/FORMAT.md.

#include <cstdint>
#include <memory>
#include <string>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/store/engine.hpp"

namespace briefwerk::store {

struct rocksdb_options {
  std::uint64_t cache_octets = 128u << 20;      // RocksDB's block cache, filters and indexes included
  std::uint64_t memtable_octets = 32u << 20;    // one memtable; up to three are in memory
  int open_files = 512;                         // of RocksDB; the journal keeps one open and maps others
  std::uint64_t segment_octets = 64u << 20;     // a journal segment is closed when it reaches this
  std::uint64_t replay_octets = 256u << 20;     // of journal written since the index was last flushed: bounds opening
  std::uint64_t zero_ahead_octets = 4u << 20;   // at most, written ahead of a busy journal; 0: none
  int compression_level = 1;                    // zstd's, for blobs over limits::store_encode_inline
  const base::clock* time = nullptr;            // for collect(); null: the machine's clock
  base::log_sink* log = nullptr;                // null: none
  base::metrics* figures = nullptr;             // store.journal.*; must outlive the engine
};

// Opens or creates the store in `folder` (its parent must exist). On failure `why`, when given, says in words what is
// wrong and where. Errors: unavailable (another process has it open), unsupported (a format of a later release, or a
// build without RocksDB), corrupt (with segment and offset in `why`; nothing is changed on the disk), no_space, and
// those of the operating system.
base::result<std::unique_ptr<engine>> open_rocksdb_engine(const std::string& folder, const rocksdb_options& settings,
                                                          std::string* why = nullptr);

}  // namespace briefwerk::store

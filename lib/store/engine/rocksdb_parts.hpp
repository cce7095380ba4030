#pragma once

// How tests put a disk of their own under the engine.

#include <memory>
#include <string>

#include "briefwerk/store/rocksdb_engine.hpp"
#include "store/engine/io.hpp"

namespace rocksdb {
class Env;
}

namespace briefwerk::store {

struct rocksdb_parts {
  io* disk = nullptr;             // of the journal; null: the system's
  rocksdb::Env* index = nullptr;  // of RocksDB; null: its own
  bool flush_on_close = true;     // false: what only memtables hold is lost at the end, as in a crash
};

base::result<std::unique_ptr<engine>> open_rocksdb_engine(const std::string& folder, const rocksdb_options& settings,
                                                          const rocksdb_parts& parts, std::string* why);

}  // namespace briefwerk::store

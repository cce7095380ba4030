// Stands in where the library is built without RocksDB.

#include "store/engine/rocksdb_parts.hpp"

namespace briefwerk::store {

base::result<std::unique_ptr<engine>> open_rocksdb_engine(const std::string&, const rocksdb_options&,
                                                          const rocksdb_parts&, std::string* why) {
  if (why != nullptr) *why = "built without RocksDB";
  return base::fail(base::errc::unsupported);
}

base::result<std::unique_ptr<engine>> open_rocksdb_engine(const std::string& folder, const rocksdb_options& settings,
                                                          std::string* why) {
  return open_rocksdb_engine(folder, settings, {}, why);
}

}  // namespace briefwerk::store

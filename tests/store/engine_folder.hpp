#pragma once

// A folder of a test, gone with it.

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace briefwerk::store::testing {

// Of a test case: left out where the library was built without RocksDB.
inline doctest::skip needs_disk() {
#ifdef BRIEFWERK_WITHOUT_ROCKSDB
  return doctest::skip(true);
#else
  return doctest::skip(false);
#endif
}

class folder {
 public:
  folder() {
    std::string name = (std::filesystem::temp_directory_path() / "briefwerk-store-XXXXXX").string();
    path_ = ::mkdtemp(name.data()) != nullptr ? name : std::string();
  }
  folder(const folder&) = delete;
  ~folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace briefwerk::store::testing

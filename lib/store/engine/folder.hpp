#pragma once

// The store's folder: who has it open, and which format it has (FORMAT.md, "Folder").

#include <string>
#include <utility>

#include "store/engine/io.hpp"

namespace briefwerk::store {

// Held while the store is open. Freed by the kernel when the process ends, however it ends.
class folder_lock {
 public:
  folder_lock() = default;
  folder_lock(folder_lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  folder_lock& operator=(folder_lock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~folder_lock();
  static base::result<folder_lock> take(const std::string& path);  // unavailable: somebody else has it

 private:
  int fd_ = -1;
};

// Writes the format into a new folder, checks it in an old one.
base::status settle_format(io& disk, const std::string& folder, std::string& why);

}  // namespace briefwerk::store

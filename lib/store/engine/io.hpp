#pragma once

// The file operations of the journal, as an interface so that tests can make the disk full, failing or torn.

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"

namespace briefwerk::store {

// An error number as a result's error: a full disk or quota is errc::no_space, the rest stays the system's.
std::error_code io_error(int number) noexcept;

// One open file description: an error of the disk is reported to each of them once. Thread-safe.
class io_file {
 public:
  virtual ~io_file() = default;
  // May write less than asked (at least one octet).
  virtual base::result<std::size_t> write_at(std::span<const iovec> pieces, std::uint64_t offset) = 0;
  virtual base::status sync() = 0;  // fdatasync
  // A hint: sync() will be called soon, and the disk may begin with these octets. Does not wait; what fails, sync() answers.
  virtual void start_write(std::uint64_t, std::uint64_t) {}
  virtual base::status truncate(std::uint64_t size) = 0;
  virtual base::status punch(std::uint64_t offset, std::uint64_t size) = 0;
  virtual base::result<std::uint64_t> size() = 0;
  // Read-only; may reach over the end of the file, where it must not be touched.
  virtual base::result<std::shared_ptr<const char>> map(std::uint64_t size) = 0;

  base::status write_all(std::string_view octets, std::uint64_t offset);
};

class io {
 public:
  virtual ~io() = default;
  virtual base::result<std::unique_ptr<io_file>> open(const std::string& path, bool create) = 0;  // for both directions
  virtual base::status rename(const std::string& from, const std::string& to) = 0;
  virtual base::status remove(const std::string& path) = 0;
  virtual base::status sync_folder(const std::string& path) = 0;
  virtual base::status make_folder(const std::string& path) = 0;  // fine when it exists
  virtual base::result<std::vector<std::string>> list(const std::string& path) = 0;
};

std::unique_ptr<io> make_system_io();

}  // namespace briefwerk::store

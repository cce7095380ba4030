#pragma once

// Writes zeros ahead of the journal's position, on a thread of its own. A sync after overwriting octets that are on
// the disk already needs no change of the file's metadata; one after growing the file does, and takes twice as long.
// Zeros are also the end mark. Nothing is written while nothing is committed.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "store/engine/io.hpp"

namespace briefwerk::store {

class zero_ahead {
 public:
  zero_ahead(std::uint64_t most, std::uint64_t segment_octets);
  zero_ahead(const zero_ahead&) = delete;
  ~zero_ahead();

  // A new file to work on, of its own file description: an error of its syncs must not hide one from the journal.
  // Null stops the work. `end` is the end of the file. Waits until the file before is let go.
  void attach(std::unique_ptr<io_file> file, std::uint64_t end);
  // The journal will write up to `end`: from now on no zeros are written before it.
  void claim(std::uint64_t end);
  // The journal's position after a commit.
  void advance(std::uint64_t position);

 private:
  void run();
  bool wanted() const;
  void write_zeros(std::unique_lock<std::mutex>& lock);

  const std::uint64_t most_, segment_octets_;
  const std::string zeros_;
  std::mutex mutex_;
  std::condition_variable wake_, calm_;
  std::unique_ptr<io_file> file_;
  std::uint64_t position_ = 0;
  std::uint64_t frontier_ = 0;  // everything before it is written
  std::uint64_t window_ = 0;    // how far ahead, now
  std::chrono::steady_clock::time_point last_;
  bool writing_ = false, using_file_ = false, failed_ = false, closing_ = false;
  std::thread thread_;
};

}  // namespace briefwerk::store

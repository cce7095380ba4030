#pragma once

// A disk that can be full, fail, and lose its power: real files, whose unsynced writes are known.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "store/engine/io.hpp"

namespace briefwerk::store::testing {

class test_disk final : public io {
 public:
  test_disk();
  ~test_disk() override;

  // From now on. Thread-safe.
  void set_space(std::uint64_t octets);        // so much more can be written by growing files; then ENOSPC
  void unlimited_space();
  void short_writes(bool on);                  // each write takes a part only
  void fail_syncs(bool on);                    // what was to be synced is lost, and counts as synced: readable, until the power goes
  void power_off_after(std::uint64_t steps);   // so many writes and syncs, then nothing works any more
  void go_on() { power_off_after(~0ull); }     // the process died, and not the machine: all that was written can be read
  bool is_off() const;

  // Power comes back: of what was written since each file's last sync some parts are there and some are not, down to
  // single sectors, or a torn one. Nothing may have a file open.
  void come_back(std::mt19937& random);

  base::result<std::unique_ptr<io_file>> open(const std::string& path, bool create) override;
  base::status rename(const std::string& from, const std::string& to) override;
  base::status remove(const std::string& path) override;
  base::status sync_folder(const std::string& path) override;
  base::status make_folder(const std::string& path) override;
  base::result<std::vector<std::string>> list(const std::string& path) override;

 private:
  friend class test_file;
  struct pending_write {
    std::uint64_t offset;
    std::string octets;
    bool truncates = false;  // to offset
  };
  struct content {
    std::string durable;
    std::deque<pending_write> pending;
  };
  static void apply(std::string& image, const pending_write& w);
  base::status step();

  std::unique_ptr<io> real_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<content>> files_;
  std::uint64_t space_ = ~0ull, steps_ = ~0ull;
  bool short_ = false, sync_fails_ = false;
};

}  // namespace briefwerk::store::testing

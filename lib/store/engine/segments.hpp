#pragma once

// The journal's segment files, as readers see them: mapped when first read, a bounded number of them at a time.

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "store/engine/io.hpp"
#include "store/engine/record.hpp"

namespace briefwerk::store {

struct segment {
  std::string path;
  journal_format::segment_header header;
  std::atomic<std::uint64_t> end{0};        // octets that are written; readers go no further
  std::atomic<std::uint64_t> last_used{0};
  std::mutex mutex;
  std::shared_ptr<const char> mapped;       // under mutex
  std::uint64_t mapped_size = 0;
};

// What a reader holds: a segment's octets up to the end that was asked for.
struct segment_view {
  std::shared_ptr<const char> octets;
  std::uint32_t salt = 0;
  std::uint64_t end = 0;
  std::string_view view() const noexcept { return {octets.get(), end}; }
};

// Thread-safe.
class segment_table {
 public:
  segment_table(io& disk, std::uint64_t segment_octets, std::size_t most_mapped)
      : disk_(disk), segment_octets_(segment_octets), most_mapped_(most_mapped) {}

  std::shared_ptr<segment> add(std::string path, const journal_format::segment_header& header, std::uint64_t end);
  void remove(std::uint32_t number);
  std::shared_ptr<segment> find(std::uint32_t number) const;
  std::vector<std::shared_ptr<segment>> all() const;  // by number
  base::result<segment_view> view(segment& of);

 private:
  void unmap_oldest();

  io& disk_;
  const std::uint64_t segment_octets_;
  const std::size_t most_mapped_;
  std::atomic<std::size_t> mapped_{0};
  std::atomic<std::uint64_t> uses_{0};
  mutable std::shared_mutex mutex_;
  std::map<std::uint32_t, std::shared_ptr<segment>> all_;
};

}  // namespace briefwerk::store

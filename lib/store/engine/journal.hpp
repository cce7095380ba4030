#pragma once

// The journal: blobs and batches, group after group, in segment files (FORMAT.md). One thread writes at a time;
// blobs are read from any thread.

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/engine/dead_ledger.hpp"
#include "store/engine/segments.hpp"
#include "store/engine/zero_ahead.hpp"

namespace briefwerk::store {

// Where a group begins.
struct journal_position {
  std::uint32_t segment = 0;  // 0: before everything
  std::uint64_t offset = 0;
  std::uint64_t group = 1;    // the number of the group that begins there
  friend bool operator==(const journal_position&, const journal_position&) = default;
};

struct journal_options {
  std::uint64_t segment_octets = 64u << 20;
  std::uint64_t zero_ahead_octets = 4u << 20;
  std::size_t most_mapped = 8192;  // segments; the kernel allows a process some 65,000 mappings
};

class journal {
 public:
  // Applies a batch that was found behind the position asked for; `end` is where the next group begins.
  using apply_function = std::function<base::status(std::string_view payload, const journal_position& end)>;

  // Opens or creates the journal in `folder`, and applies the groups from `from` on. A group that a crash cut short
  // at the very end is removed; one that is whole is made durable before it is applied. corrupt: damage before the end,
  // `why` tells where; the journal is not changed then.
  static base::result<std::unique_ptr<journal>> open(io& disk, const std::string& folder,
                                                     const journal_options& settings, const journal_position& from,
                                                     const apply_function& apply, std::string& why);
  journal(const journal&) = delete;
  ~journal();

  // The writer's side: begin, place…, commit or drop.
  base::status begin(std::uint64_t octets);  // may start a new segment, when about so much does not fit any more
  base::result<blob_ref> place(const encoded_blob& blob);
  // Durable when it answers success. Calls `meanwhile` between the write and the end of the sync: the disk has begun by then,
  // and so long the processor has nothing else to do. Not called when nothing could be written.
  base::status commit(std::string_view batch_payload, const std::function<void()>& meanwhile = {});
  void drop();
  std::uint64_t pending() const noexcept { return pending_; }  // octets placed and not committed
  journal_position next() const noexcept { return next_; }
  // Set when a failed write or sync left it unknown what is on the disk: nothing more is written.
  bool failed() const noexcept { return failed_; }

  // At least the first `most` octets, or all; the checksum of all that is stored is verified.
  base::result<octets> read(const blob_ref& ref, std::uint64_t most = UINT64_MAX);

  // Frees blobs of groups before `until` (all of which the index has flushed) that `live` does not hold, if `dead`
  // finds them ripe. One thread at a time; beside readers and the writer.
  base::result<collect_report> collect(const journal_position& until, const std::vector<blob_ref>& live_sorted,
                                       dead_ledger& dead, std::chrono::milliseconds grace);

 private:
  journal(io& disk, std::string folder, const journal_options& settings);
  base::status load(std::string& why);
  base::status replay(const journal_position& from, const apply_function& apply, std::string& why);
  base::status replay_segment(segment& s, bool last, std::uint64_t start, const apply_function& apply, std::string& why);
  base::status settle_end(segment& s, std::uint64_t begin, std::string_view last_group);
  base::status start_segment();
  base::status open_active(segment& s);
  void append(std::string_view octets);
  std::uint32_t append_record(journal_format::record_header header, const blob_parts& parts);
  base::status write_pieces();
  base::status take_back(std::error_code why);

  struct dead_run;
  struct sweep;
  base::status collect_segment(segment& s, std::uint64_t end, bool sealed, sweep& state);
  base::status free_runs(segment& s, const std::vector<dead_run>& runs, bool sealed);
  base::status delete_segment(segment& s);

  io& disk_;
  const std::string folder_;
  const journal_options settings_;
  segment_table segments_;
  zero_ahead zeros_;

  std::shared_ptr<segment> active_;
  std::unique_ptr<io_file> file_;
  journal_position next_;
  bool failed_ = false;

  // The group in the making.
  std::vector<iovec> pieces_;
  std::deque<std::array<char, journal_format::record_header_size>> headers_;
  std::uint64_t pending_ = 0;  // octets of it
};

}  // namespace briefwerk::store

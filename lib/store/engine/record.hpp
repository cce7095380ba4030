#pragma once

// The octets of the journal (FORMAT.md, "Journal"): segment headers, records, batches. Pure functions over octets
// that may be anything.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"
#include "briefwerk/store/engine.hpp"

namespace briefwerk::store::journal_format {

inline constexpr std::uint32_t version = 1;
inline constexpr std::size_t segment_header_size = 64;
inline constexpr std::size_t record_header_size = 32;
inline constexpr std::size_t alignment = 8;  // records begin at multiples of it

constexpr std::uint64_t aligned(std::uint64_t n) noexcept { return (n + alignment - 1) / alignment * alignment; }

struct segment_header {
  std::uint32_t format = version;
  std::uint32_t salt = 0;         // begins every checksum of the segment, so that no message can forge a record
  std::uint32_t number = 0;       // of the segment, as in its file's name
  std::uint64_t first_group = 0;  // number of the group that comes first
};
std::string write_segment_header(const segment_header& header);
// nullopt: not a segment header. The format may be a later one.
std::optional<segment_header> read_segment_header(std::string_view segment);

enum class record_type : std::uint8_t {
  blob = 1,
  batch = 2,  // ends its group
};

struct record_header {
  record_type type = record_type::blob;
  blob_encoding encoding = blob_encoding::raw;
  bool freed = false;            // a blob that was collected
  std::uint64_t group = 0;
  std::uint32_t size = 0;        // of the payload as stored
  std::uint32_t raw_size = 0;    // of the message
  std::uint32_t checksum = 0;    // of the payload, begun with the salt
  std::uint64_t span() const noexcept { return aligned(record_header_size + std::uint64_t{size}); }
};
void write_record_header(const record_header& header, std::uint32_t salt, char* out);
// nullopt: no header of this segment begins at `at`.
std::optional<record_header> read_record_header(std::string_view at, std::uint32_t salt);

// What takes the place of the first four octets of a blob's header when it is freed: a write that no sector tears.
inline constexpr std::string_view freed_mark = "BWJX";

// A whole record with a right checksum, or nullopt.
struct record {
  record_header header;
  std::string_view payload;
};
std::optional<record> read_record(std::string_view segment, std::uint64_t offset, std::uint32_t salt);

// The payload of a batch record.
std::string write_batch(std::span<const change> changes);
using row_function = std::function<void(std::string_view partition, std::string_view key, std::optional<std::string_view> value)>;
// Calls `row` for every write, in order. malformed: the octets follow no grammar (some rows may have been called).
base::status read_batch(std::string_view payload, const row_function& row);

// Follows the groups of one segment from `start`, where the group `expected` should begin.
struct walk_result {
  std::uint64_t end = 0;         // behind the last whole group
  std::uint64_t next_group = 0;  // expected there
  bool torn = false;             // octets other than zero follow, none of them another group
  std::optional<std::uint64_t> corrupt;  // a bad record stands here although another group follows
};
using batch_function = std::function<base::status(std::uint64_t group, std::uint64_t end, std::string_view payload)>;
base::result<walk_result> walk_groups(std::string_view segment, std::uint64_t start, std::uint32_t salt,
                                      std::uint64_t expected, const batch_function& each);

}  // namespace briefwerk::store::journal_format

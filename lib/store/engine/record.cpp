#include "store/engine/record.hpp"

#include <bit>
#include <cstring>

#include "briefwerk/base/checksum.hpp"

namespace briefwerk::store::journal_format {
namespace {

constexpr std::string_view segment_magic = "BWJOURNL";
constexpr std::string_view record_magic = "BWJR";

// Integers are little-endian on the disk.
template <class T>
void store(char* out, T value) noexcept {
  for (std::size_t i = 0; i < sizeof(T); ++i) out[i] = static_cast<char>(value >> (8 * i));
}
template <class T>
T load(const char* in) noexcept {
  T value{};
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&value, in, sizeof value);
  } else {
    for (std::size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(static_cast<unsigned char>(in[i])) << (8 * i);
  }
  return value;
}

template <class T>
void append(std::string& out, T value) {
  char octets[sizeof(T)];
  store(octets, value);
  out.append(octets, sizeof octets);
}

// Reads from the front of what is left; false, for good, when that is too short.
struct reader {
  std::string_view rest;
  template <class T>
  bool number(T& out) {
    if (rest.size() < sizeof(T)) return false;
    out = load<T>(rest.data());
    rest.remove_prefix(sizeof(T));
    return true;
  }
  bool text(std::size_t size, std::string_view& out) {
    if (rest.size() < size) return false;
    out = rest.substr(0, size);
    rest.remove_prefix(size);
    return true;
  }
};

constexpr std::uint32_t no_value = 0xffffffff;  // the size that says: erased

}  // namespace

std::string write_segment_header(const segment_header& header) {
  std::string out(segment_magic);
  append(out, header.format);
  append(out, header.salt);
  append(out, header.number);
  append(out, header.first_group);
  out.resize(segment_header_size - 4, '\0');
  append(out, base::crc32c(out));
  return out;
}

std::optional<segment_header> read_segment_header(std::string_view segment) {
  if (segment.size() < segment_header_size || !segment.starts_with(segment_magic)) return std::nullopt;
  const std::string_view checked = segment.substr(0, segment_header_size - 4);
  if (load<std::uint32_t>(segment.data() + checked.size()) != base::crc32c(checked)) return std::nullopt;
  segment_header header;
  reader in{checked.substr(segment_magic.size())};
  in.number(header.format);
  in.number(header.salt);
  in.number(header.number);
  in.number(header.first_group);
  return header;
}

// 0 magic, 4 checksum of octets 8 to 31, 8 group, 16 size, 20 raw size, 24 payload's checksum, 28 type, 29 encoding,
// 30 zero.
void write_record_header(const record_header& header, std::uint32_t salt, char* out) {
  std::memcpy(out, record_magic.data(), record_magic.size());
  store(out + 8, header.group);
  store(out + 16, header.size);
  store(out + 20, header.raw_size);
  store(out + 24, header.checksum);
  out[28] = static_cast<char>(header.type);
  out[29] = static_cast<char>(header.encoding);
  out[30] = out[31] = 0;
  store(out + 4, base::crc32c({out + 8, record_header_size - 8}, salt));
}

std::optional<record_header> read_record_header(std::string_view at, std::uint32_t salt) {
  if (at.size() < record_header_size) return std::nullopt;
  const bool freed = at.starts_with(freed_mark);
  if (!freed && !at.starts_with(record_magic)) return std::nullopt;
  if (load<std::uint32_t>(at.data() + 4) != base::crc32c(at.substr(8, record_header_size - 8), salt))
    return std::nullopt;
  const char* in = at.data();
  record_header header;
  header.freed = freed;
  header.group = load<std::uint64_t>(in + 8);
  header.size = load<std::uint32_t>(in + 16);
  header.raw_size = load<std::uint32_t>(in + 20);
  header.checksum = load<std::uint32_t>(in + 24);
  const auto type = static_cast<std::uint8_t>(in[28]);
  const auto encoding = static_cast<std::uint8_t>(in[29]);
  if (type < 1 || type > 2 || encoding > 1 || in[30] != 0 || in[31] != 0) return std::nullopt;
  header.type = static_cast<record_type>(type);
  header.encoding = static_cast<blob_encoding>(encoding);
  return header;
}

std::optional<record> read_record(std::string_view segment, std::uint64_t offset, std::uint32_t salt) {
  if (offset > segment.size()) return std::nullopt;
  const std::string_view at = segment.substr(offset);
  const auto header = read_record_header(at, salt);
  if (!header || header->freed || at.size() - record_header_size < header->size) return std::nullopt;
  const std::string_view payload = at.substr(record_header_size, header->size);
  if (base::crc32c(payload, salt) != header->checksum) return std::nullopt;
  return record{*header, payload};
}

std::string write_batch(std::span<const change> changes) {
  std::size_t size = 4;
  for (const change& c : changes) {
    size += 6 + c.partition.size();
    for (const auto& [key, value] : c.writes->writes()) size += 6 + key.size() + (value ? value->size() : 0);
  }
  std::string out;
  out.reserve(size);
  append(out, static_cast<std::uint32_t>(changes.size()));
  for (const change& c : changes) {
    append(out, static_cast<std::uint16_t>(c.partition.size()));
    out.append(c.partition);
    append(out, static_cast<std::uint32_t>(c.writes->size()));
    for (const auto& [key, value] : c.writes->writes()) {
      append(out, static_cast<std::uint16_t>(key.size()));
      append(out, value ? static_cast<std::uint32_t>(value->size()) : no_value);
      out.append(key);
      if (value) out.append(*value);
    }
  }
  return out;
}

base::status read_batch(std::string_view payload, const row_function& row) {
  const auto malformed = base::fail(base::errc::malformed);
  reader in{payload};
  std::uint32_t partitions = 0;
  if (!in.number(partitions)) return malformed;
  for (; partitions > 0; --partitions) {
    std::uint16_t size = 0;
    std::string_view partition;
    std::uint32_t writes = 0;
    if (!in.number(size) || !in.text(size, partition) || !in.number(writes)) return malformed;
    for (; writes > 0; --writes) {
      std::uint16_t key_size = 0;
      std::uint32_t value_size = 0;
      std::string_view key, value;
      if (!in.number(key_size) || !in.number(value_size) || !in.text(key_size, key)) return malformed;
      const bool erased = value_size == no_value;
      if (!erased && !in.text(value_size, value)) return malformed;
      row(partition, key, erased ? std::nullopt : std::optional(value));
    }
  }
  return in.rest.empty() ? base::status() : malformed;
}

namespace {

std::uint64_t skip_zeros(std::string_view segment, std::uint64_t from) {
  while (from + alignment <= segment.size() && load<std::uint64_t>(segment.data() + from) == 0) from += alignment;
  return from;
}

bool other_group_follows(std::string_view segment, std::uint64_t from, std::uint32_t salt, std::uint64_t group) {
  for (std::uint64_t at = skip_zeros(segment, from); at < segment.size(); at = skip_zeros(segment, at + alignment)) {
    const auto header = read_record_header(segment.substr(at), salt);
    if (header && header->group != group && read_record(segment, at, salt)) return true;
  }
  return false;
}

bool only_zeros(std::string_view octets) { return octets.find_first_not_of('\0') == octets.npos; }

}  // namespace

// A group is written in one piece and synced before the next one begins. So a group cut short by a crash can only be
// the last: whatever of a later group is whole proves that the bad record was once synced, and has been damaged. A
// whole record of an earlier group is as wrong: this is not the segment that the index knows.
base::result<walk_result> walk_groups(std::string_view segment, std::uint64_t start, std::uint32_t salt,
                                      std::uint64_t expected, const batch_function& each) {
  walk_result result{start, expected, false, std::nullopt};
  std::uint64_t at = start;
  for (;;) {
    const auto found = read_record(segment, at, salt);
    if (!found || found->header.group != result.next_group) break;
    at += found->header.span();
    if (found->header.type != record_type::batch) continue;
    const base::status taken = each(result.next_group, at, found->payload);
    if (!taken) return base::fail(taken.error());
    result.end = at;
    ++result.next_group;
  }
  if (result.end > segment.size()) result.end = segment.size();  // the last record's padding
  if (at < segment.size() && other_group_follows(segment, at, salt, result.next_group)) result.corrupt = at;
  result.torn = !only_zeros(segment.substr(result.end));
  return result;
}

}  // namespace briefwerk::store::journal_format

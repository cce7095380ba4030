#include "filter/zip.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "briefwerk/base/limits/filter.hpp"

namespace briefwerk::filter {
namespace {

constexpr std::string_view local_mark("PK\x03\x04", 4), central_mark("PK\x01\x02", 4), end_mark("PK\x05\x06", 4);
constexpr std::size_t local_size = 30, central_size = 46, end_size = 22;
constexpr std::size_t longest_comment = 65535;

std::uint32_t number(std::string_view octets, std::size_t at, std::size_t size) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(octets[at + i]);
  return value;
}

std::optional<std::size_t> end_of_directory(std::string_view octets) noexcept {
  if (octets.size() < end_size) return std::nullopt;
  const std::size_t from = octets.size() > end_size + longest_comment ? octets.size() - end_size - longest_comment : 0;
  const std::size_t at = octets.substr(from, octets.size() - from - end_size + 4).rfind(end_mark);
  if (at == octets.npos) return std::nullopt;
  return from + at;
}

// The entry of the local header at `at`. Its packed octets end with the input where the size is not known here (a
// streamed entry) and the directory does not tell either.
std::optional<zip_entry> local_entry(std::string_view octets, std::size_t at, std::optional<std::uint32_t> packed) {
  if (at > octets.size() || octets.size() - at < local_size || octets.substr(at, 4) != local_mark) return std::nullopt;
  const std::string_view header = octets.substr(at);
  const std::size_t name = number(header, 26, 2), extra = number(header, 28, 2);
  if (header.size() - local_size < name) return std::nullopt;
  zip_entry out;
  const std::uint32_t flags = number(header, 6, 2);
  out.encrypted = (flags & 1) != 0;
  out.method = static_cast<std::uint16_t>(number(header, 8, 2));
  out.name = header.substr(local_size, name);
  const std::size_t begin = std::min(local_size + name + extra, header.size());
  std::size_t size = packed ? *packed : number(header, 18, 4);
  const bool streamed = (flags & 8) != 0 && !packed;
  if (streamed || size == 0xffffffff) size = header.size() - begin;  // to the end, or a size of ZIP64
  out.packed = header.substr(begin, size);
  return out;
}

class reader {
 public:
  reader(std::string_view octets, const std::function<void(const zip_entry&)>& use) : octets_(octets), use_(use) {}

  bool read() {
    if (const auto end = end_of_directory(octets_)) read_directory(*end);
    read_locals();
    return !full_;
  }

 private:
  // Offsets count from the archive's beginning, which is not the octets' where something stands in front of it.
  void read_directory(std::size_t end) {
    const std::size_t size = number(octets_, end + 12, 4), offset = number(octets_, end + 16, 4);
    if (size > end) return;
    std::size_t at = end - size;
    const std::size_t front = at >= offset ? at - offset : 0;
    while (end - at >= central_size && octets_.substr(at, 4) == central_mark) {
      const std::size_t name = number(octets_, at + 28, 2);
      const std::size_t rest = std::size_t{number(octets_, at + 30, 2)} + number(octets_, at + 32, 2);
      if (end - at - central_size < name) return;
      zip_entry out;
      const std::uint32_t packed = number(octets_, at + 20, 4);
      const std::size_t local = front + number(octets_, at + 42, 4);
      if (const auto there = local_entry(octets_, local, packed)) {
        out = *there;
        if (out.name != octets_.substr(at + central_size, name)) tell(out);  // two names: both count
        seen_.insert(local);
      }
      out.encrypted = out.encrypted || (number(octets_, at + 8, 2) & 1) != 0;
      if (out.packed.empty()) out.method = static_cast<std::uint16_t>(number(octets_, at + 10, 2));
      out.name = octets_.substr(at + central_size, name);
      if (!tell(out)) return;
      at += central_size + std::min(name + rest, end - at - central_size);
    }
  }

  void read_locals() {
    for (std::size_t at = 0; !full_ && (at = octets_.find(local_mark, at)) != octets_.npos;) {
      const auto found = seen_.contains(at) ? std::nullopt : local_entry(octets_, at, std::nullopt);
      if (found) tell(*found);
      at += 4;
    }
  }

  bool tell(const zip_entry& one) {
    if (count_ == base::limits::archive_entries) full_ = true;
    if (full_) return false;
    ++count_;
    use_(one);
    return true;
  }

  std::string_view octets_;
  const std::function<void(const zip_entry&)>& use_;
  std::set<std::size_t> seen_;  // local headers that the directory names
  std::size_t count_ = 0;
  bool full_ = false;
};

}  // namespace

bool is_zip(std::string_view octets) noexcept { return octets.starts_with(local_mark) || end_of_directory(octets).has_value(); }

bool for_each_zip_entry(std::string_view octets, const std::function<void(const zip_entry&)>& use) {
  return reader(octets, use).read();
}

std::string unpack(const zip_entry& entry, std::size_t most) {
  if (entry.encrypted) return {};
  if (entry.method == 0) return std::string(entry.packed.substr(0, most));
  if (entry.method != 8) return {};
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return {};
  std::string out;
  // zlib does not write to its input; its pointer is not const for history's sake.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(entry.packed.data()));
  stream.avail_in = static_cast<uInt>(std::min<std::size_t>(entry.packed.size(), std::numeric_limits<uInt>::max()));
  for (int state = Z_OK; state == Z_OK && out.size() < most;) {
    const std::size_t before = out.size();
    out.resize(std::min(most, before + std::clamp<std::size_t>(before, 4096, 1u << 20)));
    stream.next_out = reinterpret_cast<Bytef*>(out.data()) + before;
    stream.avail_out = static_cast<uInt>(out.size() - before);
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (out.size() == before && state == Z_OK && stream.avail_in == 0) break;
  }
  inflateEnd(&stream);
  return out;
}

}  // namespace briefwerk::filter

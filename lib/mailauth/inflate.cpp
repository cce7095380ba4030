#include "mailauth/inflate.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace briefwerk::mailauth {
namespace {

using base::errc;
using base::fail;

constexpr std::size_t ratio_floor = 1u << 20;

// One stream of zlib's, from where `input` begins.
class inflater {
 public:
  enum class wrapping : int { raw = -15, gzip = 15 + 16 };

  explicit inflater(wrapping how) { ready_ = inflateInit2(&stream_, static_cast<int>(how)) == Z_OK; }
  inflater(const inflater&) = delete;
  inflater& operator=(const inflater&) = delete;
  ~inflater() {
    if (ready_) inflateEnd(&stream_);
  }

  // Appends what one stream holds, at most until `out` has `most` octets. The octets of `input` that it took.
  base::result<std::size_t> run(std::string_view input, std::string& out, std::size_t most) {
    if (!ready_) return fail(errc::unavailable);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));  // NOLINT: zlib does not write there
    stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(input.size(), UINT32_MAX));
    int state = Z_OK;
    while (state == Z_OK) {
      const auto filled = out.size();
      const auto room = std::min<std::size_t>(piece, most + 1 - filled);
      out.resize(filled + room);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
      stream_.avail_out = static_cast<uInt>(room);
      state = inflate(&stream_, Z_NO_FLUSH);
      out.resize(filled + room - stream_.avail_out);
      if (out.size() > most) return fail(errc::limit_exceeded);
    }
    if (state != Z_STREAM_END) return fail(errc::malformed);
    return input.size() - stream_.avail_in;
  }

 private:
  static constexpr std::size_t piece = 64u << 10;
  z_stream stream_{};
  bool ready_ = false;
};

std::size_t allowed(std::size_t compressed, const inflate_bounds& bounds) noexcept {
  const auto by_ratio = compressed > bounds.octets / bounds.ratio ? bounds.octets : compressed * bounds.ratio;
  return std::min(bounds.octets, std::max(by_ratio, ratio_floor));
}

// Little-endian numbers of the zip format. Past the end they read as 0; the callers look at sizes first.
std::uint32_t number(std::string_view octets, std::size_t at, std::size_t width) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width && at + i < octets.size(); ++i)
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(octets[at + i])) << (8 * i);
  return value;
}

constexpr std::string_view local_mark("PK\x03\x04", 4), central_mark("PK\x01\x02", 4), end_mark("PK\x05\x06", 4);
constexpr std::size_t local_size = 30, central_size = 46, end_size = 22, longest_comment = 65535;
constexpr std::uint32_t zip64_mark = 0xffffffff;

// The end record stands last, before a comment of up to 64 KiB.
std::size_t find_end_record(std::string_view octets) noexcept {
  if (octets.size() < end_size) return octets.npos;
  const auto first = octets.size() > end_size + longest_comment ? octets.size() - end_size - longest_comment : 0;
  const auto at = octets.rfind(end_mark, octets.size() - end_size);
  return at == octets.npos || at < first ? octets.npos : at;
}

struct zip_entry {
  std::uint32_t method = 0, flags = 0, crc = 0, compressed = 0, size = 0, local_at = 0;
};

base::result<std::string> read_entry(std::string_view octets, const zip_entry& entry, std::size_t room,
                                     const inflate_bounds& bounds) {
  constexpr std::uint32_t encrypted = 1, stored = 0, deflated = 8;
  if ((entry.flags & encrypted) != 0 || (entry.method != stored && entry.method != deflated))
    return fail(errc::unsupported);
  if (entry.compressed == zip64_mark || entry.size == zip64_mark) return fail(errc::unsupported);
  if (octets.size() < local_size || entry.local_at > octets.size() - local_size) return fail(errc::malformed);
  const auto local = octets.substr(entry.local_at);
  if (!local.starts_with(local_mark)) return fail(errc::malformed);
  const std::size_t data_at = local_size + number(local, 26, 2) + number(local, 28, 2);
  if (data_at > local.size() || entry.compressed > local.size() - data_at) return fail(errc::malformed);
  const auto data = local.substr(data_at, entry.compressed);
  std::string out;
  if (entry.method == stored) {
    if (data.size() > room) return fail(errc::limit_exceeded);
    out = data;
  } else {
    inflater work(inflater::wrapping::raw);
    if (auto taken = work.run(data, out, std::min(room, allowed(data.size(), bounds))); !taken)
      return fail(taken.error());
  }
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(out.data()), static_cast<uInt>(out.size()));
  if (crc != entry.crc) return fail(errc::malformed);
  return out;
}

}  // namespace

bool is_gzip(std::string_view octets) noexcept { return octets.starts_with("\x1f\x8b\x08"); }
bool is_zip(std::string_view octets) noexcept { return octets.starts_with(local_mark); }

base::result<std::string> gunzip(std::string_view octets, const inflate_bounds& bounds) {
  std::string out;
  const auto most = allowed(octets.size(), bounds);
  do {
    inflater work(inflater::wrapping::gzip);
    const auto taken = work.run(octets, out, most);
    if (!taken) return fail(taken.error());
    octets.remove_prefix(*taken);
  } while (is_gzip(octets));
  return out;
}

base::result<std::vector<std::string>> unzip(std::string_view octets, const inflate_bounds& bounds) {
  const auto end = find_end_record(octets);
  if (end == octets.npos) return fail(errc::malformed);
  const std::size_t count = number(octets, end + 10, 2);
  std::size_t at = number(octets, end + 16, 4);
  if (at == zip64_mark) return fail(errc::unsupported);
  if (count > bounds.entries) return fail(errc::limit_exceeded);
  std::vector<std::string> files;
  std::size_t room = bounds.octets;
  for (std::size_t i = 0; i < count; ++i) {
    if (at > octets.size() || octets.size() - at < central_size) return fail(errc::malformed);
    const auto central = octets.substr(at);
    if (!central.starts_with(central_mark)) return fail(errc::malformed);
    const zip_entry entry{.method = number(central, 10, 2),
                          .flags = number(central, 8, 2),
                          .crc = number(central, 16, 4),
                          .compressed = number(central, 20, 4),
                          .size = number(central, 24, 4),
                          .local_at = number(central, 42, 4)};
    at += central_size + number(central, 28, 2) + number(central, 30, 2) + number(central, 32, 2);
    if (entry.size == 0) continue;
    auto file = read_entry(octets, entry, room, bounds);
    if (!file) return fail(file.error());
    room -= file->size();
    files.push_back(std::move(*file));
  }
  return files;
}

}  // namespace briefwerk::mailauth

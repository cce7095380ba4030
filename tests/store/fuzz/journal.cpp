// The journal's parser over arbitrary octets: a segment as it may lie on a disk after anything.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "briefwerk/base/checksum.hpp"
#include "store/engine/blob_codec.hpp"
#include "store/engine/record.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::store;
using namespace briefwerk::store::journal_format;

void demand(bool holds) {
  if (!holds) std::abort();
}

void parse(std::string_view segment) {
  const auto header = read_segment_header(segment);
  if (header) {
    const std::string again = write_segment_header(*header);
    demand(again.size() == segment_header_size);
  }
  const std::uint32_t salt = header ? header->salt : 0;
  const std::uint64_t first = header ? header->first_group : 1;
  std::uint64_t last_end = segment_header_size;
  const auto walked = walk_groups(segment, segment_header_size, salt, first,
                                  [&](std::uint64_t, std::uint64_t end, std::string_view payload) -> base::status {
                                    demand(end > last_end);
                                    last_end = end;
                                    static_cast<void>(read_batch(payload, [](auto, auto, auto) {}));
                                    return {};
                                  });
  demand(walked.has_value());
  demand(walked->end == segment_header_size || walked->end <= segment.size());
  static_cast<void>(read_batch(segment, [](auto, auto, auto) {}));
  // As a compressed message: bounded, whatever it says.
  static_cast<void>(blob_codec::decompress(segment, segment.size() < 65536 ? segment.size() * 4 : 65536));
  static_cast<void>(blob_codec::decompress(segment, 65536, segment.size() % 65536));
}

// A fuzzer does not find checksums: the input's octets as payloads of good records, then damaged by its first ones.
void parse_made(std::string_view in) {
  if (in.size() < 4) return;
  const auto number = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(in[i])); };
  const std::size_t cut = number(0) | number(1) << 8, flip = number(2) | number(3) << 8;
  in.remove_prefix(4);
  segment_header header;
  header.salt = 7;
  header.number = 1;
  header.first_group = 1;
  std::string segment = write_segment_header(header);
  std::uint64_t group = 1;
  while (!in.empty()) {
    const std::size_t size = std::min<std::size_t>(static_cast<unsigned char>(in[0]), in.size());
    record_header record;
    record.type = size % 3 == 0 ? record_type::batch : record_type::blob;
    record.group = group;
    record.size = record.raw_size = static_cast<std::uint32_t>(size);
    // The same computation as a writer's, by the reader's own checksum of a header with any payload.
    std::string whole(record_header_size, '\0');
    whole.append(in.substr(0, size));
    record.checksum = base::crc32c(in.substr(0, size), header.salt);
    write_record_header(record, header.salt, whole.data());
    whole.resize(aligned(whole.size()), '\0');
    segment += whole;
    if (record.type == record_type::batch) ++group;
    in.remove_prefix(std::max<std::size_t>(size, 1));
  }
  std::uint64_t groups = 0;
  auto walked = walk_groups(segment, segment_header_size, header.salt, 1, [&](auto...) -> base::status {
    ++groups;
    return {};
  });
  demand(walked && !walked->corrupt && groups == group - 1);
  if (flip < segment.size()) segment[flip] = static_cast<char>(segment[flip] ^ 1);
  if (cut < segment.size()) segment.resize(cut);
  parse(segment);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::unique_ptr<char[]> exact(new char[size]);
  std::copy(data, data + size, exact.get());
  const std::string_view in(exact.get(), size);
  parse(in);
  parse_made(in);
  return 0;
}

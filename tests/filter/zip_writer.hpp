#pragma once

// Writes small archives, right ones and such as a hostile sender makes.

#include <zlib.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "filter/zip.hpp"

namespace briefwerk::testing {

struct zip_options {
  bool stored = false, encrypted = false, no_directory = false;
  std::string directory_name;  // instead of the true one
};

inline std::string zip(const std::vector<std::pair<std::string, std::string>>& files, const zip_options& how = {}) {
  const auto number = [](std::string& out, std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  };
  std::string out, directory;
  for (const auto& [name, octets] : files) {
    std::string packed(compressBound(octets.size()) + 16, '\0');
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    std::string in = octets;
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.erase(stream.total_out);
    deflateEnd(&stream);
    if (how.stored) packed = octets;
    const std::size_t offset = out.size();
    const auto fields = [&](std::string& to) {
      number(to, 20, 2);
      number(to, how.encrypted ? 1 : 0, 2);
      number(to, how.stored ? 0 : 8, 2);
      number(to, 0, 4);
      number(to, static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(octets.data()), static_cast<uInt>(octets.size()))), 4);
      number(to, static_cast<std::uint32_t>(packed.size()), 4);
      number(to, static_cast<std::uint32_t>(octets.size()), 4);
    };
    out += "PK\x03\x04";
    fields(out);
    number(out, static_cast<std::uint32_t>(name.size()), 2);
    number(out, 0, 2);
    out += name + packed;
    const std::string& listed = how.directory_name.empty() ? name : how.directory_name;
    directory += "PK\x01\x02";
    number(directory, 20, 2);
    fields(directory);
    number(directory, static_cast<std::uint32_t>(listed.size()), 2);
    number(directory, 0, 4);   // extra, comment
    number(directory, 0, 4);   // disk, internal attributes
    number(directory, 0, 4);   // external attributes
    number(directory, static_cast<std::uint32_t>(offset), 4);
    directory += listed;
  }
  if (how.no_directory) return out;
  const std::size_t at = out.size();
  out += directory + "PK\x05\x06";
  number(out, 0, 4);
  number(out, static_cast<std::uint32_t>(files.size()), 2);
  number(out, static_cast<std::uint32_t>(files.size()), 2);
  number(out, static_cast<std::uint32_t>(directory.size()), 4);
  number(out, static_cast<std::uint32_t>(at), 4);
  number(out, 0, 2);
  return out;
}

}  // namespace briefwerk::testing

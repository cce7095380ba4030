// Attachments of any message, and archives, whatever they hold.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "briefwerk/base/limits/filter.hpp"
#include "briefwerk/filter/attachments.hpp"
#include "filter/zip.hpp"

using namespace briefwerk;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (filter::find_attachments(input).found.size() > 2 * base::limits::archive_entries) std::abort();
  std::size_t entries = 0;
  filter::for_each_zip_entry(input, [&](const filter::zip_entry& one) {
    ++entries;
    const bool inside = one.packed.empty() || (one.packed.data() >= input.data() && one.packed.size() <= input.size());
    if (!inside || filter::unpack(one, 4096).size() > 4096) std::abort();
  });
  if (entries > base::limits::archive_entries) std::abort();
  return 0;
}

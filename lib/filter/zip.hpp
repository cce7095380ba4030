#pragma once

// What is in a ZIP archive (PKWARE APPNOTE 6.3), as far as a look at it needs. Reads hostile input: whatever the octets
// are, what can be found is found, within bounds.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace briefwerk::filter {

struct zip_entry {
  std::string_view name;    // octets as they stand; may hold anything
  std::string_view packed;  // as far as it is there
  std::uint16_t method = 0; // 0 stored, 8 deflated
  bool encrypted = false;
};

// Does this look like an archive: a local header at its beginning, or an end of a central directory near its end?
bool is_zip(std::string_view octets) noexcept;

// Calls use(entry) for what the central directory names and for local headers that it does not name (readers differ in
// which they believe). At most limits::archive_entries; false when there were more.
bool for_each_zip_entry(std::string_view octets, const std::function<void(const zip_entry&)>& use);

// The entry's first `most` octets, unpacked; less where it is damaged, nothing for an encrypted one or another method.
std::string unpack(const zip_entry& entry, std::size_t most);

}  // namespace briefwerk::filter

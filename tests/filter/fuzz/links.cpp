// Links of any message.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "briefwerk/base/limits/filter.hpp"
#include "briefwerk/filter/links.hpp"

using namespace briefwerk;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto hosts = filter::link_hosts(input);
  if (hosts.size() > base::limits::link_hosts) std::abort();
  for (const std::string& one : hosts) {
    if (one.size() > 253 || one.find('.') == one.npos || one.front() == '.' || one.back() == '.') std::abort();
  }
  return 0;
}

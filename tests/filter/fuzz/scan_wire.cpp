// Packets between a server and its scanner, whatever they hold.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "briefwerk/filter/scan_wire.hpp"

using namespace briefwerk;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto request = filter::decode_scan_request(input)) {
    if (filter::encode(*request) != input) std::abort();
  }
  if (const auto answer = filter::decode_scan_answer(input)) {
    if (answer->text.size() > filter::scan_text_size) std::abort();
    for (const char c : answer->text) {
      if (c < 0x20 || c > 0x7e) std::abort();
    }
    const auto again = filter::decode_scan_answer(filter::encode(*answer));
    if (!again || again->outcome != answer->outcome || again->text != answer->text) std::abort();
  }
  return 0;
}

// What a clamd, or something that stands in its place, answers.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "server/scan/clamd_reply.hpp"

using namespace briefwerk;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto said = server::parse_clamd_reply(input);
  if (!said) return 0;
  if (said->text.size() > filter::scan_text_size) std::abort();
  for (const char c : said->text) {
    if (c < 0x20 || c > 0x7e) std::abort();
  }
  if (said->outcome == filter::scan_outcome::clean && input != std::string_view("stream: OK\0", 11)) std::abort();
  return 0;
}

// A URL of CATENATE: what is taken from it never holds a control character.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "server/imap/message_url.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto url = briefwerk::server::imap::parse_message_url(text, "alice@example.org");
  if (!url) return 0;
  if (url->uid == 0) std::abort();
  for (const char c : url->mailbox + url->section)
    if (static_cast<unsigned char>(c) < 0x20) std::abort();
  return 0;
}

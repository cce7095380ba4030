#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "mail/message_check.hpp"

// MIME tree, envelope, body structure, transfer decodings, summary: whatever the octets are, the rules hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view raw(reinterpret_cast<const char*>(data), size);
  briefwerk::test::check_message(raw, [](const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  });
  return 0;
}

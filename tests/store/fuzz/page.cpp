// Pages of a mailbox index, and their flags: whatever is accepted is ascending, inside its page, and encodes to the
// same octets.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "store/mailbox/records.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace briefwerk::store;
  if (size < 1) return 0;
  const std::string_view value(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (const auto entries = decode_page(value, data[0])) {
    if (entries->empty() || entries->size() > uids_per_page) std::abort();
    std::uint32_t last = 0;
    for (const message_entry& e : *entries) {
      if (e.uid <= last || page_of(e.uid) != data[0]) std::abort();
      last = e.uid;
    }
    if (encode_page(*entries) != value) std::abort();
  }
  if (const auto states = decode_states(value, data[0])) {
    if (states->empty() || states->size() > uids_per_page) std::abort();
    std::uint32_t last = 0;
    for (const message_state& s : *states) {
      if (s.uid <= last || page_of(s.uid) != data[0]) std::abort();
      last = s.uid;
    }
    if (encode_states(*states) != value) std::abort();
  }
  if (const auto entry = decode_entry(value, data[0]); entry && encode_entry(*entry) != value) std::abort();
  return 0;
}

// The other values of the store: heads, change and expunge records, names, directory and queue. The first octet
// chooses; whatever is accepted encodes to the same octets.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "store/directory/directory_records.hpp"
#include "store/mailbox/records.hpp"
#include "store/queue/queue_records.hpp"

namespace {

template <class Record, class Encode>
void same(const Record& record, std::string_view value, Encode encode_again) {
  if (record && encode_again(*record) != value) std::abort();
}
template <class Record>
void same(const Record& record, std::string_view value) {
  same(record, value, [](const auto& r) { return briefwerk::store::encode(r); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace briefwerk::store;
  if (size < 1) return 0;
  const std::string_view value(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 11) {
    case 0:
      same(decode_head(value), std::string("\2").append(value.substr(value.empty() ? 0 : 1)));
      break;  // format 1 too
    case 1: same(decode_change(value), value); break;
    case 2: (void)decode_expunged(value); break;  // touching ranges are joined
    case 3: same(decode_name(value), value); break;
    case 4: same(decode_account(value), value); break;
    case 5: same(decode_usage(value), value); break;
    case 6: same(decode_domain(value, "example.org"), value); break;
    case 7: same(decode_directory_account(value, "id"), value); break;
    case 8: same(decode_alias(value), value); break;
    case 9: same(decode_queue_item(value, "id"), value); break;
    default: same(decode_access(value), value, [](const auto& r) { return encode_access(r); }); break;
  }
  return 0;
}

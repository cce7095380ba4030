#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "briefwerk/mail/summary.hpp"

// Stored octets may be corrupt: what can be read comes back from being written.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace mail = briefwerk::mail;
  const auto summary = mail::decode_summary({reinterpret_cast<const char*>(data), size});
  if (!summary) return 0;
  const auto again = mail::decode_summary(mail::encode_summary(*summary));
  if (!again || *again != *summary) std::abort();
  return 0;
}

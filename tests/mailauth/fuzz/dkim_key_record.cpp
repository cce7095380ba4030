#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/mailauth/dkim.hpp"

// A key record, and the key in it: what can be parsed can be written and parsed again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto provider = briefwerk::crypto::make_boringssl();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto record = briefwerk::mailauth::parse_dkim_key_record(text);
  if (!record) {
    if (record.error().message().empty()) std::abort();
    return 0;
  }
  if (record->octets.empty()) std::abort();
  const auto key = provider->parse_public_key(record->kind, record->octets);
  if (!key) return 0;
  const auto again = provider->parse_public_key(record->kind, (*key)->encode());
  if (!again || (*again)->encode() != (*key)->encode() || (*again)->bits() != (*key)->bits()) std::abort();
  if ((*key)->verify(briefwerk::base::hash_kind::sha256, std::string(32, 'x'), text)) std::abort();
  return 0;
}

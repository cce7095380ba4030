#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mailauth/dkim.hpp"

// A signature is refused with a reason, or has all that verifying needs.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace limits = briefwerk::base::limits;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto found = briefwerk::mailauth::parse_dkim_signature(text);
  if (!found) {
    if (found.error().message().empty()) std::abort();
    return 0;
  }
  if (found->domain.find('.') == std::string::npos || found->selector.empty() || found->value.empty()) std::abort();
  if (found->body_hash.size() != briefwerk::base::digest_size(hash_of(found->algorithm))) std::abort();
  if (found->fields.empty() || found->fields.size() > limits::dkim_signed_fields) std::abort();
  if (!found->identity_domain.ends_with(found->domain)) std::abort();
  if (found->signed_at && found->expires && *found->expires <= *found->signed_at) std::abort();
  return 0;
}

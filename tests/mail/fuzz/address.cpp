#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/charset.hpp"

// A mailbox that was read comes back from its text; an address list never fails.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace mail = briefwerk::mail;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto allowed : {mail::utf8::refuse, mail::utf8::allow}) {
    const auto parsed = mail::parse_mailbox(text, allowed);
    if (!parsed) continue;
    const auto again = mail::parse_mailbox(mail::format_mailbox(*parsed), allowed);
    if (!again || *again != *parsed) std::abort();
    mail::normalised_key(*parsed);
  }
  for (const auto& address : mail::parse_address_list(text)) {
    mail::domain_to_unicode(address.domain);
    mail::format_address(mail::repair_utf8(address.name), {address.local, address.domain});
  }
  return 0;
}

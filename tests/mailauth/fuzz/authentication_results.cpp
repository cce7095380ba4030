#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "briefwerk/mail/header.hpp"
#include "briefwerk/mailauth/authentication_results.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

// What was read is written as one field that is read again, and from then on nothing changes; who is said to have
// written it stays.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace mailauth = briefwerk::mailauth;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)mailauth::claims_authserv_id(text, "mx.example.org");
  for (const bool arc : {false, true}) {
    const auto parsed =
        arc ? mailauth::parse_arc_authentication_results(text) : mailauth::parse_authentication_results(text);
    if (!parsed) continue;
    require(mailauth::claims_authserv_id(text, parsed->authserv_id));
    const std::string field = mailauth::to_field(*parsed);
    const briefwerk::mail::header_block block(field);
    require(block.fields().size() == 1 && block.length() == field.size());
    const std::string_view value = block.fields()[0].value;
    const auto again =
        arc ? mailauth::parse_arc_authentication_results(value) : mailauth::parse_authentication_results(value);
    require(again.has_value());
    require(mailauth::to_field(*again) == field);
  }
  return 0;
}

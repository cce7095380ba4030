// Input: a local part. Whatever it is, it is read without harm, and what is rewritten comes back as it was.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/mailauth/srs.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace briefwerk;
  static const auto crypto = crypto::make_boringssl();
  static const mailauth::srs ours(*crypto, {.secrets = {"key"}});
  constexpr std::chrono::sys_seconds now{std::chrono::seconds(1'800'000'000)};
  const mail::mailbox_address address{std::string(reinterpret_cast<const char*>(data), size), "example.org"};
  (void)ours.reverse(address, now);
  const auto there = ours.forward(address, "forward.test", now);
  if (!there) return 0;
  const auto back = ours.reverse(*there, now);
  // A rewritten one loses what the letter case of its prefix was, and of SRS1 our own share.
  const bool rewritten = mailauth::srs::is_rewritten(address.local);
  if (address.local.empty() ? back.has_value() : !back || (!rewritten && *back != address)) std::abort();
  return 0;
}

// One command line; and xtext, which must survive a round trip.

#include <cstdint>
#include <cstdlib>

#include "briefwerk/protocol/smtp/command.hpp"

namespace smtp = briefwerk::protocol::smtp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  smtp::extensions offered;
  offered.requiretls = true;
  const auto parsed = smtp::parse_command(line, offered);
  if (parsed) {
    briefwerk::mail::smtp_envelope envelope;
    // What parses as a command is an address for the envelope too.
    if (const auto* from = std::get_if<smtp::mail_command>(&*parsed); from && !smtp::add_sender(envelope, *from)) std::abort();
    if (const auto* to = std::get_if<smtp::rcpt_command>(&*parsed); to && !smtp::add_recipient(envelope, *to)) std::abort();
  } else if (parsed.error()->code < 500) {
    std::abort();
  }
  std::string encoded;
  smtp::append_xtext(encoded, line);
  if (smtp::decode_xtext(encoded) != line) std::abort();
  return 0;
}

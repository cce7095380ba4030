// Octets as one command: parsed, and what comes out is read in full. The first octet chooses options and the part.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/imap_describe.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  static_cast<void>(imap_test::parse(text, (data[0] & 1) != 0));
  imap_test::imap::arena memory;
  const auto place = static_cast<imap_test::imap::append_place>((data[0] >> 2) % 5);
  const auto parsed = imap_test::imap::parse_append(text, place, false, (data[0] & 2) != 0, {(data[0] & 1) != 0}, memory);
  if (parsed) {
    for (const auto& action : parsed->actions) static_cast<void>(imap_test::text_of(action.piece.flags));
  }
  if (const auto mark = imap_test::imap::find_literal(text); mark && mark->start >= text.size()) __builtin_trap();
  return 0;
}

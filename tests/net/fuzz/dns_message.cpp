// Answers as a hostile server sends them. The first octet picks the type asked for, the question is the message's own,
// so that the decoder goes past it.

#include "net/dns_message.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace briefwerk;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static constexpr base::dns_type types[] = {base::dns_type::a,   base::dns_type::cname, base::dns_type::ptr,
                                             base::dns_type::mx,  base::dns_type::txt,   base::dns_type::aaaa,
                                             base::dns_type::tlsa};
  const base::dns_type type = types[data[0] % std::size(types)];
  const std::string_view message(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string name;
  for (std::size_t at = 12; at < message.size() && name.size() < 255; ++at) {
    const char c = message[at];
    name += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (c == '\0') break;
  }
  const auto answer = net::decode_dns_answer(message, name, type);
  if (answer && answer->status == base::dns_status::found && answer->records.empty()) std::abort();

  // What is written in presentation form reads back as the same name.
  const auto wire = net::to_wire_name(message);
  if (wire) {
    const auto again = net::to_wire_name(net::from_wire_name(*wire));
    if (!again || *again != *wire) std::abort();
  }
  return 0;
}

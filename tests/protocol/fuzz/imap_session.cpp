// A whole session: the first octets choose options and the size of portions, the rest is what the client sends. The
// session must come to an end, never hold more than its limits, and write whole lines.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/imap_script.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  imap_test::imap::server_options options;
  options.mechanisms = {"PLAIN"};
  options.append_limit = 4096;
  options.offered.multiappend = (data[0] & 1) != 0;
  options.offered.condstore = options.offered.qresync = options.offered.binary = (data[0] & 2) != 0;
  options.offered.sort = options.offered.thread = options.offered.context = options.offered.partial = true;
  options.offered.catenate = options.offered.replace = options.offered.unauthenticate = options.offered.uid_only = true;
  options.offered.literals = (data[0] & 4) != 0 ? imap_test::imap::literal_rule::plus : imap_test::imap::literal_rule::minus;
  options.offered.imap4rev2 = (data[0] & 8) == 0;
  options.bad_commands = 1000;
  imap_test::player client(options);
  if ((data[0] & 16) != 0) client.session.tls_started();
  if ((data[0] & 32) != 0) client.play("l LOGIN smith sesame\r\n");
  if ((data[0] & 64) != 0) client.play("s SELECT INBOX\r\n");
  client.refuse_append = (data[0] & 128) != 0;
  client.refuse_after = data[1] >> 5;
  const std::string_view octets(reinterpret_cast<const char*>(data) + 2, size - 2);
  client.play(octets, data[1] & 31);
  if (!client.transcript.ends_with("\r\n")) std::abort();
  return 0;
}

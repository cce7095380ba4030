#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "briefwerk/mailauth/dmarc_report.hpp"

// Documents, gzip, zip and messages, told apart by their content: inside the bounds, and what was read is written as a
// document that can be read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace dmarc = briefwerk::mailauth::dmarc;
  dmarc::report_limits bounds;
  bounds.octets = 1u << 20;
  bounds.rows = 100;
  const auto found = dmarc::read_reports({reinterpret_cast<const char*>(data), size}, bounds);
  if (!found) return 0;
  for (const auto& one : *found) {
    if (one.rows.size() > bounds.rows) std::abort();
    for (const auto form : {dmarc::report_format::rfc7489, dmarc::report_format::rfc9990}) {
      const auto again = dmarc::parse_report(dmarc::write_report(one, form));
      if (!again || again->rows.size() != one.rows.size()) std::abort();
    }
  }
  dmarc::summarise(*found);
  return 0;
}

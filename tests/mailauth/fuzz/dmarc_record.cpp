#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mailauth/dmarc_record.hpp"

// A record is read or refused by its bounds; what it says stays inside them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace dmarc = briefwerk::mailauth::dmarc;
  namespace limits = briefwerk::base::limits;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool claims = dmarc::is_record(text);
  for (const auto rules : {dmarc::edition::rfc7489, dmarc::edition::rfc9989}) {
    const auto found = dmarc::parse_record(text, rules);
    if (!found) {
      if (found.error().position > size || found.error().problem.empty()) std::abort();
      continue;
    }
    if (!claims || found->pct > 100 || found->rua.size() > limits::dmarc_uris || found->ruf.size() > limits::dmarc_uris)
      std::abort();
    for (const auto& issue : found->issues)
      if (issue.position > size) std::abort();
    for (const auto& uri : found->rua) {
      const auto address = dmarc::mailto_address(uri.uri);
      if (address && address->find_first_of("\r\n\t ") != address->npos && address->front() != '"') std::abort();
    }
  }
  return 0;
}

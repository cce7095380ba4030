#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mailauth/author.hpp"

// Without a fault there is exactly one domain, and one more From field always is a fault.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using briefwerk::mailauth::author_fault;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto found = briefwerk::mailauth::read_author(text);
  if (found.domains.size() > briefwerk::base::limits::dmarc_author_domains) std::abort();
  if (found.fault == author_fault::none && (found.domains.size() != 1 || found.incomplete)) std::abort();
  for (const auto& domain : found.domains)
    if (domain.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") != domain.npos) std::abort();
  if (found.fault != author_fault::none) return 0;
  const auto twice = briefwerk::mailauth::read_author("From: x@example.org\r\n" + std::string(text));
  if (twice.fault != author_fault::several_fields) std::abort();
  return 0;
}

// A PROXY header: what is complete stays complete, and the same, whatever follows; every beginning of it is incomplete.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/net/proxy_protocol.hpp"

using namespace briefwerk;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = net::parse_proxy_header(text);
  if (!parsed || !*parsed) return 0;
  const net::proxy_header& header = **parsed;
  if (header.size == 0 || header.size > size || header.size > base::limits::proxy_header_v2) std::abort();
  const auto alone = net::parse_proxy_header(text.substr(0, header.size));
  if (!alone || !*alone || (*alone)->size != header.size) std::abort();
  const auto cut = net::parse_proxy_header(text.substr(0, header.size - 1));
  if (!cut || *cut) std::abort();
  if (header.forwarded && base::endpoint::parse(header.forwarded->source.to_string()) != header.forwarded->source)
    std::abort();
  return 0;
}

#include "briefwerk/net/proxy_protocol.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "briefwerk/base/limits.hpp"

namespace briefwerk::net {
namespace {

using base::errc;
using answer = base::result<std::optional<proxy_header>>;
using namespace std::string_view_literals;

constexpr std::string_view signature_v1 = "PROXY ";
constexpr std::string_view signature_v2 = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t fixed_v2 = 16;  // signature, version and command, family and transport, length

// One word up to the next space. False where none follows.
bool take_word(std::string_view& line, std::string_view& word) {
  const auto end = line.find(' ');
  if (end == std::string_view::npos || end == 0) return false;
  word = line.substr(0, end);
  line.remove_prefix(end + 1);
  return true;
}

// §2.1: decimal, 0 to 65535, without leading zeroes.
std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint32_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (value > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

// §2.1: PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n
answer parse_v1(std::string_view octets) {
  const auto end = octets.substr(0, base::limits::proxy_header_v1).find("\r\n");
  if (end == std::string_view::npos) {
    if (octets.size() >= base::limits::proxy_header_v1) return base::fail(errc::limit_exceeded);
    return std::nullopt;
  }
  proxy_header made{.size = end + 2, .forwarded = {}};
  std::string_view line = octets.substr(signature_v1.size(), end - signature_v1.size());
  // "the receiver must ignore anything presented before the CRLF" behind UNKNOWN.
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return made;
  std::string_view family, source, destination, source_port;
  if (!take_word(line, family) || !take_word(line, source) || !take_word(line, destination) ||
      !take_word(line, source_port))
    return base::fail(errc::malformed);
  if (family != "TCP4" && family != "TCP6") return base::fail(errc::malformed);
  const auto from = base::ip_address::parse(source), to = base::ip_address::parse(destination);
  const auto from_port = parse_port(source_port), to_port = parse_port(line);
  if (!from || !to || !from_port || !to_port) return base::fail(errc::malformed);
  // By what is written: an IPv4-mapped address is an IPv6 one here.
  const bool v6 = family == "TCP6";
  if ((source.find(':') != std::string_view::npos) != v6 || (destination.find(':') != std::string_view::npos) != v6)
    return base::fail(errc::malformed);
  made.forwarded = {{*from, *from_port}, {*to, *to_port}};
  return made;
}

std::uint16_t number16(std::string_view octets) {
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(octets[0]) << 8 | static_cast<std::uint8_t>(octets[1]));
}

template <std::size_t Size>
base::ip_address address_of(std::string_view octets) {
  std::array<std::uint8_t, Size> raw;
  std::transform(octets.begin(), octets.begin() + Size, raw.begin(),
                 [](char c) { return static_cast<std::uint8_t>(c); });
  if constexpr (Size == 4)
    return base::ip_address::v4(raw);
  else
    return base::ip_address::v6(raw);
}

// Source and destination address, then both ports (§2.2).
template <std::size_t Size>
std::optional<proxy_header::addresses> addresses_of(std::string_view block) {
  if (block.size() < 2 * Size + 4) return std::nullopt;
  return proxy_header::addresses{{address_of<Size>(block), number16(block.substr(2 * Size))},
                                 {address_of<Size>(block.substr(Size)), number16(block.substr(2 * Size + 2))}};
}

// §2.2
answer parse_v2(std::string_view octets) {
  if (octets.size() > 12) {
    const auto what = static_cast<std::uint8_t>(octets[12]);
    if (what != 0x20 && what != 0x21) return base::fail(errc::malformed);  // another version, or command
  }
  if (octets.size() < fixed_v2) return std::nullopt;
  const std::size_t size = fixed_v2 + number16(octets.substr(14));
  if (size > base::limits::proxy_header_v2) return base::fail(errc::limit_exceeded);
  if (octets.size() < size) return std::nullopt;
  proxy_header made{.size = size, .forwarded = {}};
  if (octets[12] == 0x20) return made;  // LOCAL: the rest is to be ignored
  const std::string_view block = octets.substr(fixed_v2, size - fixed_v2);
  switch (static_cast<std::uint8_t>(octets[13])) {
    case 0x11:
      made.forwarded = addresses_of<4>(block);
      break;
    case 0x21:
      made.forwarded = addresses_of<16>(block);
      break;
    case 0x00:  // UNSPEC
    case 0x31:  // a Unix stream
      return made;
    default:
      return base::fail(errc::malformed);
  }
  if (!made.forwarded) return base::fail(errc::malformed);
  return made;
}

// Is one the beginning of the other?
bool agree(std::string_view octets, std::string_view signature) {
  const std::size_t both = std::min(octets.size(), signature.size());
  return octets.substr(0, both) == signature.substr(0, both);
}

}  // namespace

base::result<std::optional<proxy_header>> parse_proxy_header(std::string_view octets) {
  if (octets.empty()) return std::nullopt;
  if (agree(octets, signature_v1)) {
    if (octets.size() < signature_v1.size()) return std::nullopt;
    return parse_v1(octets);
  }
  if (agree(octets, signature_v2)) {
    if (octets.size() < signature_v2.size()) return std::nullopt;
    return parse_v2(octets);
  }
  return base::fail(errc::not_found);
}

}  // namespace briefwerk::net

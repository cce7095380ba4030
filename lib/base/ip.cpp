#include "briefwerk/base/ip.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace briefwerk::base {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// The whole of `text` as a decimal number without leading zeros: 010 is ten to some and eight to others.
std::optional<unsigned> decimal(std::string_view text, unsigned most) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return {};
  unsigned value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size() || value > most) return {};
  return value;
}

std::optional<std::array<std::uint8_t, 4>> parse_dotted(std::string_view text) {
  std::array<std::uint8_t, 4> out{};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t end = i == 3 ? text.size() : text.find('.');
    if (end == std::string_view::npos) return {};
    const auto value = decimal(text.substr(0, end), 255);
    if (!value) return {};
    out[i] = static_cast<std::uint8_t>(*value);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

// One side of "::": groups of hexadecimal digits, the last of which may be dotted decimal. Answers the number of
// octets written, or nothing.
std::optional<std::size_t> parse_groups(std::string_view text, bool dotted_allowed, std::array<std::uint8_t, 16>& out) {
  std::size_t at = 0;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && dotted_allowed && group.find('.') != std::string_view::npos) {
      const auto v4 = parse_dotted(group);
      if (!v4 || at > 12) return {};
      std::copy(v4->begin(), v4->end(), out.begin() + static_cast<std::ptrdiff_t>(at));
      return at + 4;
    }
    if (group.empty() || group.size() > 4 || at > 14) return {};
    unsigned value = 0;
    const auto end = std::from_chars(group.data(), group.data() + group.size(), value, 16);
    if (end.ec != std::errc() || end.ptr != group.data() + group.size()) return {};
    out[at++] = static_cast<std::uint8_t>(value >> 8);
    out[at++] = static_cast<std::uint8_t>(value);
    if (colon == std::string_view::npos) return at;
    text.remove_prefix(colon + 1);
    if (text.empty()) return {};  // a single colon at the end
  }
  return at;
}

std::optional<std::array<std::uint8_t, 16>> parse_v6(std::string_view text) {
  std::array<std::uint8_t, 16> head{}, tail{};
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const auto size = parse_groups(text, true, head);
    if (!size || *size != 16) return {};
    return head;
  }
  const auto before = parse_groups(text.substr(0, gap), false, head);
  const auto after = parse_groups(text.substr(gap + 2), true, tail);
  // RFC 4291 §2.2: "::" stands for one or more groups of zeros.
  if (!before || !after || *before + *after > 14) return {};
  std::copy(tail.begin(), tail.begin() + static_cast<std::ptrdiff_t>(*after),
            head.end() - static_cast<std::ptrdiff_t>(*after));
  return head;
}

void append_number(std::string& out, unsigned value, int radix = 10) {
  char digits[12];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value, radix).ptr);
}

// RFC 5952 §4: lower case, no leading zeros, the longest run of two or more zero groups (the first of equals) as "::".
std::string format_v6(const std::array<std::uint8_t, 16>& bytes) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) groups[i] = static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  std::size_t run = 8, run_length = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > run_length) run = i, run_length = end - i;
    i = std::max(end, i + 1);
  }
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == run) {
      out += "::";
      i += run_length - 1;
      continue;
    }
    if (!out.empty() && !out.ends_with(':')) out += ':';
    append_number(out, groups[i], 16);
  }
  return out;
}

}  // namespace

ip_address ip_address::v4(std::array<std::uint8_t, 4> octets) noexcept {
  ip_address out;
  std::copy(octets.begin(), octets.end(), out.bytes_.begin());
  return out;
}

ip_address ip_address::v6(std::array<std::uint8_t, 16> octets) noexcept {
  if (std::equal(mapped_prefix.begin(), mapped_prefix.end(), octets.begin()))
    return v4({octets[12], octets[13], octets[14], octets[15]});
  ip_address out;
  out.bytes_ = octets;
  out.v4_ = false;
  return out;
}

result<ip_address> ip_address::parse(std::string_view text) {
  if (text.size() > 45) return fail(errc::malformed);  // the longest: six groups and a dotted quad
  if (text.find(':') == std::string_view::npos) {
    const auto octets = parse_dotted(text);
    if (octets) return v4(*octets);
  } else {
    const auto octets = parse_v6(text);
    if (octets) return v6(*octets);
  }
  return fail(errc::malformed);
}

bool ip_address::is_loopback() const noexcept {
  if (v4_) return bytes_[0] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t b) { return b == 0; }) && bytes_[15] == 1;
}

std::string_view ip_address::octets() const noexcept {
  return {reinterpret_cast<const char*>(bytes_.data()), v4_ ? 4u : 16u};
}

std::string ip_address::to_string() const {
  if (!v4_) return format_v6(bytes_);
  std::string out;
  for (std::size_t i = 0; i < 4; ++i) {
    if (i != 0) out += '.';
    append_number(out, bytes_[i]);
  }
  return out;
}

std::string ip_address::to_smtp_literal() const { return (v4_ ? "[" : "[IPv6:") + to_string() + "]"; }

std::string ip_address::reverse_name() const {
  std::string out;
  if (v4_) {
    for (std::size_t i = 4; i-- > 0;) {
      append_number(out, bytes_[i]);
      out += '.';
    }
    return out + "in-addr.arpa";
  }
  for (std::size_t i = 16; i-- > 0;) {
    append_number(out, bytes_[i] & 15u, 16);
    out += '.';
    append_number(out, bytes_[i] >> 4, 16);
    out += '.';
  }
  return out + "ip6.arpa";
}

result<ip_network> ip_network::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = ip_address::parse(text.substr(0, slash));
  if (!address) return fail(address.error());
  ip_network out{*address, address->is_v4() ? 32 : 128};
  if (slash == std::string_view::npos) return out;

  const bool mapped = address->is_v4() && text.substr(0, slash).find(':') != std::string_view::npos;
  const auto prefix = decimal(text.substr(slash + 1), mapped ? 128u : static_cast<unsigned>(out.prefix));
  if (!prefix || (mapped && *prefix < 96)) return fail(errc::malformed);
  out.prefix = static_cast<int>(mapped ? *prefix - 96 : *prefix);

  std::array<std::uint8_t, 16> bytes{};
  const std::string_view octets = address->octets();
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const int kept = std::clamp(out.prefix - static_cast<int>(8 * i), 0, 8);
    bytes[i] = static_cast<std::uint8_t>(static_cast<unsigned char>(octets[i]) & (0xff00u >> kept));
  }
  out.address = address->is_v4() ? ip_address::v4({bytes[0], bytes[1], bytes[2], bytes[3]}) : ip_address::v6(bytes);
  return out;
}

bool ip_network::contains(const ip_address& candidate) const noexcept {
  if (candidate.is_v4() != address.is_v4()) return false;
  const std::string_view mine = address.octets(), theirs = candidate.octets();
  int left = prefix;
  for (std::size_t i = 0; left > 0 && i < mine.size(); ++i, left -= 8) {
    const unsigned mask = left >= 8 ? 0xffu : (0xff00u >> left) & 0xffu;
    if (((static_cast<unsigned char>(mine[i]) ^ static_cast<unsigned char>(theirs[i])) & mask) != 0) return false;
  }
  return true;
}

std::string ip_network::to_string() const {
  std::string out = address.to_string() + "/";
  append_number(out, static_cast<unsigned>(prefix));
  return out;
}

std::string endpoint::to_string() const {
  std::string out = address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
  out += ':';
  append_number(out, port);
  return out;
}

result<endpoint> endpoint::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(errc::malformed);
  const auto port = decimal(text.substr(colon + 1), 65535);
  std::string_view host = text.substr(0, colon);
  const bool brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  // Without brackets the last group of an IPv6 address would pass for a port.
  if (!port || brackets != (host.find(':') != std::string_view::npos)) return fail(errc::malformed);
  const auto address = ip_address::parse(host);
  if (!address) return fail(address.error());
  return endpoint{*address, static_cast<std::uint16_t>(*port)};
}

}  // namespace briefwerk::base

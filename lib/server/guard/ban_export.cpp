#include "briefwerk/server/ban_export.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include "server/guard/manual_bans.hpp"

namespace briefwerk::server {
namespace {

using guard::covers;

struct element {
  base::ip_network network;
  base::wall_time until;
};
constexpr base::wall_time for_ever = base::wall_time::max();

// The half whose first bit behind the prefix is set.
base::ip_network upper_half(const base::ip_network& whole) {
  std::array<std::uint8_t, 16> octets{};
  const std::string_view raw = whole.address.octets();
  std::copy(raw.begin(), raw.end(), octets.begin());
  octets[static_cast<std::size_t>(whole.prefix / 8)] |= static_cast<std::uint8_t>(0x80 >> whole.prefix % 8);
  if (whole.address.is_v6()) return {base::ip_address::v6(octets), whole.prefix + 1};
  return {base::ip_address::v4({octets[0], octets[1], octets[2], octets[3]}), whole.prefix + 1};
}

// nftables refuses intervals that overlap. `whole` is banned until `until`, the elements inside it are sorted: what
// lasts no longer is left out, and round what lasts longer `whole` is cut in halves.
void flatten(const base::ip_network& whole, base::wall_time until, std::span<const element> inside,
             std::vector<element>& out) {
  std::vector<element> longer;
  for (const element& one : inside) {
    if (one.network == whole) until = std::max(until, one.until);
  }
  std::ranges::copy_if(inside, std::back_inserter(longer), [&](const element& one) { return one.until > until; });
  if (longer.empty()) {
    out.push_back({whole, until});
    return;
  }
  const base::ip_network upper = upper_half(whole);
  const auto middle =
      std::ranges::partition_point(longer, [&](const element& one) { return !covers(upper, one.network); });
  flatten({whole.address, whole.prefix + 1}, until, {longer.begin(), middle}, out);
  flatten(upper, until, {middle, longer.end()}, out);
}

// The elements of one family without overlaps, in order.
std::vector<element> disjoint(std::vector<element> all) {
  std::ranges::sort(all, [](const element& a, const element& b) { return a.network < b.network; });
  std::vector<element> out;
  for (auto first = all.begin(); first != all.end();) {
    const auto end =
        std::find_if(first, all.end(), [&](const element& one) { return !covers(first->network, one.network); });
    flatten(first->network, first->until, {first, end}, out);
    first = end;
  }
  return out;
}

void append_set(std::string& out, const char* name, const char* type, const char* flags, const std::string& elements) {
  auto into = std::back_inserter(out);
  fmt::format_to(into, "\tset {} {{\n\t\ttype {}\n\t\tflags {}\n", name, type, flags);
  if (!elements.empty()) fmt::format_to(into, "\t\telements = {{ {} }}\n", elements);
  out += "\t}\n";
}

std::string banned_elements(const std::vector<ban_info>& bans, bool v4, base::wall_time now) {
  std::vector<element> all;
  for (const ban_info& ban : bans) {
    if (ban.network.address.is_v4() != v4 || (ban.until && *ban.until <= now)) continue;
    all.push_back({ban.network, ban.until.value_or(for_ever)});
  }
  std::string out;
  for (const element& one : disjoint(std::move(all))) {
    out += (out.empty() ? "" : ",\n\t\t\t") + one.network.to_string();
    if (one.until != for_ever)
      out += fmt::format(" timeout {}s", std::chrono::ceil<std::chrono::seconds>(one.until - now).count());
  }
  return out;
}

std::string allowed_elements(const std::vector<base::ip_network>& allow, bool v4) {
  std::vector<element> all;
  for (const auto& one : allow) {
    if (one.address.is_v4() == v4) all.push_back({one, for_ever});
  }
  std::string out;
  for (const element& one : disjoint(std::move(all))) out += (out.empty() ? "" : ", ") + one.network.to_string();
  return out;
}

}  // namespace

std::string nft_ruleset(const std::vector<ban_info>& bans, const nft_options& options, base::wall_time now) {
  std::vector<std::uint16_t> ports = options.ports;
  std::ranges::sort(ports);
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  const std::string closed = ports.empty() ? std::string() : fmt::format("tcp dport {{ {} }} ", fmt::join(ports, ", "));
  // Made where it is missing, so that the deletion never fails.
  std::string out = fmt::format("add table inet {0}\ndelete table inet {0}\ntable inet {0} {{\n", options.table);
  append_set(out, "allowed4", "ipv4_addr", "interval", allowed_elements(options.allow, true));
  append_set(out, "allowed6", "ipv6_addr", "interval", allowed_elements(options.allow, false));
  append_set(out, "banned4", "ipv4_addr", "interval, timeout", banned_elements(bans, true, now));
  append_set(out, "banned6", "ipv6_addr", "interval, timeout", banned_elements(bans, false, now));
  out += "\tchain input {\n\t\ttype filter hook input priority -10; policy accept;\n";
  for (const char* family : {"4", "6"}) {
    const char* header = *family == '4' ? "ip" : "ip6";
    fmt::format_to(std::back_inserter(out),
                   "\t\t{0} saddr @allowed{1} accept\n\t\t{0} saddr @banned{1} {2}counter drop\n", header, family,
                   closed);
  }
  return out + "\t}\n}\n";
}

}  // namespace briefwerk::server

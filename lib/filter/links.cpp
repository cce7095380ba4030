#include "briefwerk/filter/links.hpp"

#include <algorithm>

#include "briefwerk/base/limits/filter.hpp"
#include "briefwerk/mail/mime.hpp"
#include "briefwerk/mail/transfer.hpp"
#include "filter/names.hpp"

namespace briefwerk::filter {
namespace {

constexpr std::size_t longest_host = 253;  // RFC 1035 §2.3.4, as text

bool is_host_octet(char c) noexcept {
  const char l = lower(c);
  return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

// The host behind "//": user information is skipped, as a browser does (RFC 3986 §3.2).
std::string host_at(std::string_view text) {
  const std::size_t end = text.substr(0, 1024).find_first_of("/?#\"'<> \t\r\n\\)]");
  std::string_view authority = text.substr(0, std::min(end, std::min<std::size_t>(text.size(), 1024)));
  if (const std::size_t at = authority.rfind('@'); at != authority.npos) authority.remove_prefix(at + 1);
  const auto stop = std::ranges::find_if_not(authority, is_host_octet);
  std::string host = lower(authority.substr(0, static_cast<std::size_t>(stop - authority.begin())));
  while (!host.empty() && host.back() == '.') host.pop_back();
  const bool numeric = !host.empty() && host.find_first_not_of("0123456789.") == host.npos;
  if (numeric || host.size() > longest_host || host.find('.') == host.npos || host.front() == '.' ||
      host.find("..") != host.npos) {
    return {};
  }
  return host;
}

bool begins_with_ignoring_case(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() &&
         std::ranges::equal(text.substr(0, prefix.size()), prefix, {}, [](char c) { return lower(c); });
}

}  // namespace

void append_link_hosts(std::vector<std::string>& out, std::string_view text) {
  for (std::size_t at = 0; (at = text.find("://", at)) != text.npos && out.size() < base::limits::link_hosts; at += 3) {
    const std::string_view before = text.substr(at >= 5 ? at - 5 : 0, std::min<std::size_t>(at, 5));
    const bool web = begins_with_ignoring_case(before.substr(before.size() >= 4 ? before.size() - 4 : 0), "http") ||
                     begins_with_ignoring_case(before, "https");
    if (!web) continue;
    std::string host = host_at(text.substr(at + 3));
    if (!host.empty() && std::ranges::find(out, host) == out.end()) out.push_back(std::move(host));
  }
}

std::vector<std::string> link_hosts(std::string_view message) {
  std::vector<std::string> out;
  const mail::mime_tree tree(message);
  std::size_t room = base::limits::link_text;
  for (const mail::mime_part& part : tree.parts()) {
    if (room == 0 || part.kind != mail::part_kind::leaf) continue;
    if (!tree.is(part, "text", "plain") && !tree.is(part, "text", "html")) continue;
    const std::string_view raw = tree.view(part.body);
    const bool coded = part.encoding == mail::transfer_encoding::base64 ||
                       part.encoding == mail::transfer_encoding::quoted_printable;
    std::string decoded;
    if (coded) decoded = mail::decode_body(part.encoding, raw, room);
    const std::string_view text = coded ? std::string_view(decoded) : raw.substr(0, room);
    append_link_hosts(out, text);
    room -= std::min(room, text.size());
  }
  return out;
}

}  // namespace briefwerk::filter

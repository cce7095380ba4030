#include <algorithm>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/mail/address.hpp"
#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {
namespace {

// Where the closing bracket of text[0] == '<' stands; brackets inside a quoted local part do not count.
std::size_t find_closing_bracket(std::string_view text) noexcept {
  bool quoted = false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') ++i;
    else if (c == '"') quoted = !quoted;
    else if (c == '>' && !quoted) return i;
  }
  return std::string_view::npos;
}

// RFC 5321 §4.1.2, appendix C: a source route is checked and ignored.
//   A-d-l = At-domain *( "," At-domain )       At-domain = "@" Domain
bool drop_source_route(std::string_view& mailbox) noexcept {
  if (!mailbox.starts_with('@')) return true;
  const std::size_t colon = mailbox.find(':');
  if (colon == std::string_view::npos) return false;
  for (std::string_view route = mailbox.substr(0, colon);;) {
    const std::size_t comma = std::min(route.find(','), route.size());
    const std::string_view hop = route.substr(0, comma);
    if (!hop.starts_with('@') || !mail::is_domain(hop.substr(1), mail::utf8::allow)) return false;
    if (comma == route.size()) break;
    route.remove_prefix(comma + 1);
  }
  mailbox.remove_prefix(colon + 1);
  return true;
}

}  // namespace

//   Path = "<" [ A-d-l ":" ] Mailbox ">"       "<>" and "<Postmaster>" where the command allows them
bool take_path(std::string_view& text, path& out) noexcept {
  if (!text.starts_with('<')) return false;
  const std::size_t close = find_closing_bracket(text);
  if (close == std::string_view::npos || close > base::limits::address_path) return false;
  std::string_view mailbox = text.substr(1, close - 1);
  text.remove_prefix(close + 1);
  if (!text.empty() && !text.starts_with(' ')) return false;
  while (text.starts_with(' ')) text.remove_prefix(1);

  if (!drop_source_route(mailbox)) return false;
  out.mailbox = mailbox;
  if (mailbox.empty()) return true;
  if (is_keyword(mailbox, "POSTMASTER")) {
    out.local_part = mailbox;
    return true;
  }
  out.utf8 = std::ranges::any_of(mailbox, [](char c) { return static_cast<unsigned char>(c) > 127; });
  const auto parts = mail::split_mailbox(mailbox, mail::utf8::allow);
  if (!parts) return false;
  out.local_part = parts->local;
  out.domain = parts->domain;
  return true;
}

}  // namespace briefwerk::protocol::smtp

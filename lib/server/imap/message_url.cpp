#include "message_url.hpp"

#include <charconv>

#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"

namespace briefwerk::server::imap {
namespace {

int digit_of(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 3986 §2.1. Nothing for a "%" that stands before something else than two digits, and for control characters.
std::optional<std::string> decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (text.size() - i < 3 || digit_of(text[i + 1]) < 0 || digit_of(text[i + 2]) < 0) return std::nullopt;
      c = static_cast<char>(digit_of(text[i + 1]) * 16 + digit_of(text[i + 2]));
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    out.push_back(c);
  }
  return mail::is_valid_utf8(out) ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, why] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (why != std::errc{} || end != text.data() + text.size() || value == 0) return std::nullopt;
  return value;
}

// Takes ";NAME=value" at the beginning, in any case; the value ends at "/" or ";".
std::optional<std::string_view> take(std::string_view& text, std::string_view name) {
  if (text.size() < name.size() || !mail::equals_ignoring_case(text.substr(0, name.size()), name)) return std::nullopt;
  text.remove_prefix(name.size());
  const auto value = text.substr(0, text.find_first_of("/;"));
  text.remove_prefix(value.size());
  return value;
}

// iserver = [iuserinfo "@"] host [":" port]; a user may only be this one.
bool is_mine(std::string_view server, std::string_view login) {
  const auto at = server.rfind('@');
  if (at == server.npos) return true;
  auto user = server.substr(0, at);
  std::size_t auth = 0;
  while (auth < user.size() && !mail::equals_ignoring_case(user.substr(auth, 6), ";AUTH=")) ++auth;
  user = user.substr(0, auth);
  const auto decoded = decode(user);
  return user.empty() || (decoded && mail::equals_ignoring_case(*decoded, login));
}

}  // namespace

std::optional<message_url> parse_message_url(std::string_view url, std::string_view login) {
  constexpr std::string_view scheme = "imap://";
  if (url.size() >= scheme.size() && mail::equals_ignoring_case(url.substr(0, scheme.size()), scheme)) {
    url.remove_prefix(scheme.size());
    const auto server = url.substr(0, url.find('/'));
    if (!is_mine(server, login)) return std::nullopt;
    url.remove_prefix(server.size());
    if (!url.starts_with('/')) return std::nullopt;
  }
  message_url out;
  if (url.starts_with('/')) {
    url.remove_prefix(1);
    // The mailbox ends where ";UIDVALIDITY=" or "/;UID=" begins.
    std::size_t end = 0;
    while (end < url.size() && !mail::equals_ignoring_case(url.substr(end, 13), ";UIDVALIDITY=") &&
           !mail::equals_ignoring_case(url.substr(end, 6), "/;UID=")) {
      ++end;
    }
    auto name = decode(url.substr(0, end));
    if (!name || name->empty()) return std::nullopt;
    out.mailbox = std::move(*name);
    url.remove_prefix(end);
    if (const auto validity = take(url, ";UIDVALIDITY=")) {
      out.uid_validity = number(*validity);
      if (!out.uid_validity) return std::nullopt;
    }
    if (!url.starts_with('/')) return std::nullopt;
    url.remove_prefix(1);
  }
  const auto uid = take(url, ";UID=");
  const auto value = uid ? number(*uid) : std::nullopt;
  if (!value) return std::nullopt;
  out.uid = *value;
  if (const auto section = take(url, "/;SECTION=")) {
    auto decoded = decode(*section);
    if (!decoded || decoded->empty()) return std::nullopt;
    out.section = std::move(*decoded);
  }
  if (const auto partial = take(url, "/;PARTIAL=")) {
    out.partial = *partial;
    if (out.partial.find('.') == std::string::npos) return std::nullopt;
  }
  if (!url.empty()) return std::nullopt;
  return out;
}

}  // namespace briefwerk::server::imap

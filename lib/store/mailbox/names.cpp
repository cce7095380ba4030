#include "store/mailbox/names.hpp"

#include <algorithm>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::store {
namespace {

bool is_inbox(std::string_view level) noexcept {
  return std::ranges::equal(level, inbox, [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == b; });
}

// RFC 9051 §5.1 (Net-Unicode, RFC 5198 §2): C0, DEL, C1, and the line and paragraph separators U+2028 and U+2029.
bool has_control(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return true;
    const auto next = [&](std::size_t n) { return static_cast<unsigned char>(i + n < text.size() ? text[i + n] : 0); };
    if (c == 0xc2 && next(1) < 0xa0) return true;
    if (c == 0xe2 && next(1) == 0x80 && (next(2) == 0xa8 || next(2) == 0xa9)) return true;
  }
  return false;
}

}  // namespace

base::result<std::string> normalise_mailbox_name(std::string_view name) {
  if (name.empty() || name.size() > base::limits::imap_mailbox_name) return base::fail(errc::bad_mailbox_name);
  if (!mail::is_valid_utf8(name) || has_control(name)) return base::fail(errc::bad_mailbox_name);
  const bool empty_level = name.starts_with('/') || name.ends_with('/') || name.find("//") != name.npos;
  const auto levels = static_cast<std::size_t>(std::ranges::count(name, '/')) + 1;
  if (empty_level || levels > base::limits::imap_mailbox_levels) return base::fail(errc::bad_mailbox_name);
  std::string normal = mail::is_ascii(name) ? std::string(name) : mail::normalise_nfc(name);
  if (normal.size() > base::limits::imap_mailbox_name) return base::fail(errc::bad_mailbox_name);
  const std::size_t first_level = std::min(normal.find('/'), normal.size());
  if (is_inbox(std::string_view(normal).substr(0, first_level))) normal.replace(0, first_level, inbox);
  return normal;
}

std::vector<std::string_view> parents_of(std::string_view name) {
  std::vector<std::string_view> parents;
  for (std::size_t at = name.find('/'); at != name.npos; at = name.find('/', at + 1)) parents.push_back(name.substr(0, at));
  return parents;
}

}  // namespace briefwerk::store

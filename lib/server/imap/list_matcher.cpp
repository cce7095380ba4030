#include "list_matcher.hpp"

#include "briefwerk/base/limits.hpp"

namespace briefwerk::server::imap {
namespace {

constexpr std::string_view inbox = "INBOX";

bool is_wildcard(char c) noexcept { return c == '*' || c == '%'; }

// RFC 9051 §5.1: INBOX is one name in any case, and the first level of what is below it.
bool is_inbox_or_below(std::string_view name) noexcept {
  return name.starts_with(inbox) && (name.size() == inbox.size() || name[inbox.size()] == '/');
}

char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

}  // namespace

list_matcher::list_matcher(std::string_view reference, std::string_view pattern) {
  // Nothing so long is the name of a mailbox, whatever the wildcards.
  if (reference.size() + pattern.size() > 2 * base::limits::imap_mailbox_name) {
    pattern_.push_back('\0');
    literals_ = 1;
    return;
  }
  pattern_.reserve(reference.size() + pattern.size());
  for (const std::string_view part : {reference, pattern}) {
    for (const char c : part) {
      if (is_wildcard(c) && !pattern_.empty() && is_wildcard(pattern_.back())) {
        if (c == '*') pattern_.back() = '*';
        continue;
      }
      pattern_.push_back(c);
      literals_ += !is_wildcard(c);
    }
  }
}

bool list_matcher::matches(std::string_view name) const {
  // Each stands for an octet of the name. Long patterns would take their time with every one of many short names.
  if (literals_ > name.size()) return false;
  // reached_[i]: what is read of the pattern matches the first i octets of the name.
  reached_.assign(name.size() + 1, 0);
  reached_[0] = 1;
  const std::size_t in_any_case = is_inbox_or_below(name) ? inbox.size() : 0;
  for (const char c : pattern_) {
    if (is_wildcard(c)) {
      for (std::size_t i = 1; i <= name.size(); ++i)
        if (reached_[i - 1] != 0 && (c == '*' || name[i - 1] != '/')) reached_[i] = 1;
      continue;
    }
    for (std::size_t i = name.size(); i > 0; --i) {
      const bool same = name[i - 1] == (i <= in_any_case ? upper(c) : c);
      reached_[i] = static_cast<char>(reached_[i - 1] != 0 && same);
    }
    reached_[0] = 0;
  }
  return reached_[name.size()] != 0;
}

}  // namespace briefwerk::server::imap

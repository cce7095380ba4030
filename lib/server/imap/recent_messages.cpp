#include "recent_messages.hpp"

#include <algorithm>

#include "briefwerk/base/limits/imap.hpp"

namespace briefwerk::server::imap {
namespace {

// Looked at from the end.
constexpr std::size_t most_looked_at = 4096;

std::uint32_t behind_last_seen(const store::mailbox_snapshot& now) noexcept {
  if (now.unseen == now.count()) return 1;
  const std::size_t end = now.count() - std::min(now.count(), most_looked_at);
  for (std::size_t i = now.count(); i > end; --i)
    if ((now.at(i - 1).flags & mail::flags::seen) != 0) return now.at(i - 1).uid + 1;
  return now.at(end).uid;
}

}  // namespace

std::uint32_t recent_messages::first(const store::account_id& account, store::mailbox_id mailbox,
                                     std::uint32_t uid_next, const store::mailbox_snapshot* messages, bool take) {
  std::string key = account;
  key.append("/").append(std::to_string(mailbox));
  std::lock_guard lock(mutex_);
  const auto found = floors_.find(key);
  std::uint32_t first = uid_next;
  if (found != floors_.end())
    first = found->second;
  else if (messages != nullptr)
    first = behind_last_seen(*messages);
  if (!take) return first;
  if (found != floors_.end()) {
    found->second = std::max(first, uid_next);
  } else {
    if (floors_.size() >= base::limits::imap_recent_mailboxes) floors_.clear();
    floors_.emplace(std::move(key), uid_next);
  }
  return first;
}

}  // namespace briefwerk::server::imap

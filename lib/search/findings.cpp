#include "briefwerk/search/index.hpp"

namespace briefwerk::search {

unsigned probe_answer::score_of(std::uint32_t uid) const noexcept {
  std::size_t before = 0;
  for (const auto& range : sure.ranges()) {
    if (uid < range.first) return 0;
    const std::size_t at = before + (uid - range.first);
    if (uid <= range.last) return at < scores.size() ? scores[at] : 0;
    before += range.last - range.first + 1;
  }
  return 0;
}

bool findings::fit(const store::mailbox_snapshot& mailbox) const noexcept {
  if (below == 0 || uid_validity != mailbox.uid_validity || below > mailbox.uid_next) return false;
  const auto* entry = mailbox.find(last_uid);
  return entry == nullptr || entry->email_id == last_email_id;
}

}  // namespace briefwerk::search

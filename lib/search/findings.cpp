#include "briefwerk/search/index.hpp"

namespace briefwerk::search {

bool findings::fit(const store::mailbox_snapshot& mailbox) const noexcept {
  if (below == 0 || uid_validity != mailbox.uid_validity || below > mailbox.uid_next) return false;
  const auto* entry = mailbox.find(last_uid);
  return entry == nullptr || entry->email_id == last_email_id;
}

}  // namespace briefwerk::search

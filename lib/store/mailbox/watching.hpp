#pragma once

// Which mailbox changed. The engine's notices name the rows of a commit, so that what a commit costs here does not grow
// with the number of mailboxes; a thread of the store calls who watches. Where a notice does not tell (another process
// committed), all mailboxes count as changed.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "store/mailbox/core.hpp"

namespace briefwerk::store {

class account_watches {
 public:
  using callback = std::function<void(mailbox_id)>;

  explicit account_watches(store_core& core) : core_(core) {}
  subscription add(std::string partition, callback changed);

 private:
  struct watched;
  static void note(store_core& core, const std::shared_ptr<watched>& account, const commit_notice& notice);
  static void tell(store_core& core, watched& account);
  void remove(const std::shared_ptr<watched>& account, const callback* key);

  store_core& core_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<watched>> accounts_;
};

}  // namespace briefwerk::store

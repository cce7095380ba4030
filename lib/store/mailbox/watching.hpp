#pragma once

// Which mailbox changed: the engine reports that an account's partition did; a reader thread compares the heads with
// those last seen, and calls who watches. Works the same whichever process committed.

#include <functional>
#include <map>
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
  static void check(store_core& core, watched& account);
  static void compare(store_core& core, watched& account, const view& now);
  void remove(const std::shared_ptr<watched>& account, const callback* key);

  store_core& core_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<watched>> accounts_;
};

}  // namespace briefwerk::store

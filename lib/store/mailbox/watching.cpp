#include "store/mailbox/watching.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "store/mailbox/account_reader.hpp"

namespace briefwerk::store {
namespace {

// What happened since the watchers were called last.
struct news {
  std::set<mailbox_id> mailboxes;
  bool account = false;     // its counters were written: names or subscriptions may be others
  bool everything = false;  // nobody knows what
};

// The mailboxes whose heads or notes a commit wrote or erased.
void add_written(const batch& writes, news& to) {
  const auto& rows = writes.writes();
  for (const char* const row : {&keys::head, &keys::annotation}) {
    const std::string_view kind(row, 1);
    for (auto at = rows.lower_bound(kind); at != rows.end() && at->first.starts_with(kind); ++at) {
      mailbox_id id = 0;
      std::string_view rest = std::string_view(at->first).substr(1);
      if (take_key_number(rest, id)) to.mailboxes.insert(id);
    }
  }
  to.account = to.account || rows.contains(keys::account);
}

}  // namespace

struct account_watches::watched {
  std::string partition;
  std::mutex calls;  // held during calls, so that the end of a subscription waits for them
  std::vector<std::unique_ptr<callback>> callbacks;
  std::uint64_t list_version = 0;

  std::mutex noting;
  version_number known = 0;  // up to here notices were taken
  news since;
  bool asked = false;  // a call is posted and has not begun

  subscription from_engine;  // guarded by account_watches::mutex_
};

subscription account_watches::add(std::string partition, callback changed) {
  auto mine = std::make_unique<callback>(std::move(changed));
  const callback* const key = mine.get();
  std::lock_guard all(mutex_);
  auto& account = accounts_[partition];
  if (!account) {
    account = std::make_shared<watched>();
    account->partition = partition;
    // Notices up to the version read here say nothing new; those that come before it is read are told in vain, at most.
    account->from_engine =
        core_.where.watch(partition, [&core = core_, weak = std::weak_ptr(account)](const commit_notice& notice) {
          if (const auto alive = weak.lock()) note(core, alive, notice);
        });
    if (auto now = core_.where.read(partition)) {
      auto counters = account_reader(**now, partition, core_.report).account();
      std::scoped_lock both(account->calls, account->noting);
      if (counters && *counters) account->list_version = (*counters)->list_version;
      account->known = std::max(account->known, (*now)->version());
    }
  }
  std::lock_guard lock(account->calls);
  account->callbacks.push_back(std::move(mine));
  return subscription([this, account, key] { remove(account, key); });
}

void account_watches::remove(const std::shared_ptr<watched>& account, const callback* key) {
  subscription ends;  // outside of the locks, since it waits for the engine's call
  std::lock_guard all(mutex_);
  std::lock_guard lock(account->calls);
  std::erase_if(account->callbacks, [&](const auto& entry) { return entry.get() == key; });
  if (!account->callbacks.empty()) return;
  ends = std::move(account->from_engine);
  if (const auto at = accounts_.find(account->partition); at != accounts_.end() && at->second == account)
    accounts_.erase(at);
}

void account_watches::note(store_core& core, const std::shared_ptr<watched>& account, const commit_notice& notice) {
  std::lock_guard lock(account->noting);
  if (notice.version <= account->known) return;
  if (notice.writes != nullptr && notice.before <= account->known)
    add_written(*notice.writes, account->since);
  else
    account->since.everything = true;
  account->known = notice.version;
  if (std::exchange(account->asked, true)) return;
  core.threads.post([&core, account] { tell(core, *account); });
}

void account_watches::tell(store_core& core, watched& account) {
  std::lock_guard lock(account.calls);
  news what;
  {
    std::lock_guard noting(account.noting);
    account.asked = false;
    what = std::exchange(account.since, {});
  }
  const auto changed = [&](mailbox_id id) {
    for (const auto& call : account.callbacks) (*call)(id);
  };
  if (!what.everything && !what.account) {
    for (const auto id : what.mailboxes) changed(id);
    return;
  }
  auto now = core.where.read(account.partition);
  if (!now) return;
  const account_reader read(**now, account.partition, core.report);
  if (what.everything) {
    (void)read.rows(keys::all(keys::head), [&](std::string_view key, std::string_view) {
      mailbox_id id = 0;
      std::string_view rest = key.substr(1);
      if (take_key_number(rest, id)) what.mailboxes.insert(id);
      return base::status();
    });
  }
  for (const auto id : what.mailboxes) changed(id);
  auto counters = read.account();
  const std::uint64_t list = counters && *counters ? (*counters)->list_version : 0;
  if (!what.mailboxes.contains(0) && (what.everything || list != account.list_version)) changed(0);
  account.list_version = list;
}

}  // namespace briefwerk::store

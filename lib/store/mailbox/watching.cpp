#include "store/mailbox/watching.hpp"

#include <atomic>

#include "store/mailbox/account_reader.hpp"

namespace briefwerk::store {

struct account_watches::watched {
  std::string partition;
  std::atomic<bool> asked{false};  // a check is posted and has not begun
  std::mutex mutex;                // held during calls, so that the end of a subscription waits for them
  std::vector<std::unique_ptr<callback>> callbacks;
  bool known = false;
  std::uint64_t list_version = 0;
  std::map<mailbox_id, std::uint64_t> modseqs;
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
    account->from_engine = core_.where.watch(partition, [&core = core_, weak = std::weak_ptr(account)](version_number) {
      const auto alive = weak.lock();
      if (!alive || alive->asked.exchange(true)) return;
      core.threads.post([&core, alive] { check(core, *alive); });
    });
  }
  std::lock_guard lock(account->mutex);
  if (!account->known) {
    // What happens after this is compared with it; what happened since watch() is reported once more, at most.
    if (auto now = core_.where.read(partition)) compare(core_, *account, **now);
  }
  account->callbacks.push_back(std::move(mine));
  return subscription([this, account, key] { remove(account, key); });
}

void account_watches::remove(const std::shared_ptr<watched>& account, const callback* key) {
  subscription ends;  // outside of the locks, since it waits for the engine's call
  std::lock_guard all(mutex_);
  std::lock_guard lock(account->mutex);
  std::erase_if(account->callbacks, [&](const auto& entry) { return entry.get() == key; });
  if (!account->callbacks.empty()) return;
  ends = std::move(account->from_engine);
  if (const auto at = accounts_.find(account->partition); at != accounts_.end() && at->second == account)
    accounts_.erase(at);
}

void account_watches::check(store_core& core, watched& account) {
  std::lock_guard lock(account.mutex);
  account.asked.store(false);  // before reading: a later commit asks again
  if (auto now = core.where.read(account.partition)) compare(core, account, **now);
}

void account_watches::compare(store_core& core, watched& account, const view& now) {
  const account_reader read(now, account.partition, core.report);
  const auto changed = [&](mailbox_id id) {
    if (!account.known) return;
    for (const auto& call : account.callbacks) (*call)(id);
  };
  std::map<mailbox_id, std::uint64_t> modseqs;
  const auto seen = read.rows(keys::all(keys::head), [&](std::string_view key, std::string_view value) -> base::status {
    mailbox_id id = 0;
    std::string_view rest = key.substr(1);
    auto head = decode_head(value);
    if (!take_key_number(rest, id) || !head) return read.corrupt(key);
    modseqs.emplace_hint(modseqs.end(), id, head->highest_modseq);
    const auto before = account.modseqs.find(id);
    if (before == account.modseqs.end() || before->second != head->highest_modseq) changed(id);
    return {};
  });
  if (!seen) return;
  for (const auto& [id, modseq] : account.modseqs)
    if (!modseqs.contains(id)) changed(id);
  account.modseqs = std::move(modseqs);
  auto counters = read.account();
  const std::uint64_t list = counters && *counters ? (*counters)->list_version : 0;
  if (list != account.list_version) changed(0);
  account.list_version = list;
  account.known = true;
}

}  // namespace briefwerk::store

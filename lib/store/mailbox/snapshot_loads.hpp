#pragma once

// Snapshots on their way: read on the store's threads, each once for all who ask for the same version.

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/mailbox/account_reader.hpp"
#include "store/mailbox/workers.hpp"

namespace briefwerk::store {

class snapshot_loads {
 public:
  using answer = base::result<snapshot_ptr>;
  using reading = std::function<answer(const account_reader& read, mailbox_id mailbox)>;

  // `read` runs on `threads`; both must outlive this.
  snapshot_loads(workers& threads, const faults& report, reading read)
      : threads_(threads), report_(report), read_(std::move(read)) {}
  snapshot_loads(const snapshot_loads&) = delete;
  ~snapshot_loads();  // waits for what is under way, which may have nobody who waits for it any more

  // The mailbox as `now` shows it. The load that is under way for the same version, or a new one.
  std::shared_ptr<pending_snapshot> begin(std::unique_ptr<view> now, const std::string& partition, mailbox_id mailbox);

 private:
  class load;
  using key = std::pair<std::string, mailbox_id>;

  void run(const std::shared_ptr<load>& one);

  workers& threads_;
  const faults& report_;
  const reading read_;
  std::mutex mutex_;
  std::condition_variable calm_;
  std::size_t running_ = 0;
  std::map<key, std::shared_ptr<load>> under_way_;  // the latest of each mailbox
};

}  // namespace briefwerk::store

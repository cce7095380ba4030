#pragma once

// The queue over an engine: partition "q".

#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "briefwerk/store/queue_store.hpp"
#include "store/mailbox/core.hpp"

namespace briefwerk::store {

class engine_queue_store final : public queue_store {
 public:
  explicit engine_queue_store(store_core& core) : core_(core) {}

  base::task<base::result<std::vector<queue_item>>> due(std::int64_t until, std::size_t most) override;
  base::task<base::result<std::int64_t>> next_due() override;
  base::task<base::result<std::vector<queue_item>>> list(std::string after_id, std::size_t most) override;
  base::task<base::result<queue_item>> find(std::string id) override;
  base::task<base::status> update(queue_item item) override;
  base::task<base::status> reschedule(std::string id, std::int64_t next_attempt) override;
  base::task<base::status> finish(queue_item item, bool done, message_source report,
                                  std::vector<local_target> report_targets,
                                  std::vector<queue_item> report_queue) override;
  base::task<base::status> remove(std::string id) override;
  base::task<base::result<message_octets>> read(blob_ref message) override;
  base::task<base::result<std::size_t>> size() override;
  subscription watch(std::function<void()> changed) override;

 private:
  void report_damaged(std::string_view key);

  store_core& core_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> damaged_;  // keys that were reported
};

// Calls mark() for every blob that the queue refers to.
base::status mark_queue(const view& now, const faults& report, const std::function<void(const blob_ref&)>& mark);

}  // namespace briefwerk::store

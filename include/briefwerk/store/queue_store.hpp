#pragma once

// The durable queue of outgoing mail. Items come in through mailbox_store::deliver(), in the commit that stores the
// message; here they are found, changed and removed.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/store/mailbox_store.hpp"
#include "briefwerk/store/queue_item.hpp"

namespace briefwerk::store {

class queue_store {
 public:
  virtual ~queue_store() = default;
  // Items whose next attempt is not after `until`, earliest first, at most `most`. Damaged ones are reported in the log
  // and left out, here and in list().
  virtual base::task<base::result<std::vector<queue_item>>> due(std::int64_t until, std::size_t most) = 0;
  // The time of the earliest next attempt; 0 when the queue is empty.
  virtual base::task<base::result<std::int64_t>> next_due() = 0;
  // Those in quarantine as well (queue_item::held); they are never due, and size() does not count them.
  virtual base::task<base::result<std::vector<queue_item>>> list(std::string after_id, std::size_t most) = 0;
  virtual base::task<base::result<queue_item>> find(std::string id) = 0;
  // Replaces an item that exists; errc::not_found otherwise.
  virtual base::task<base::status> update(queue_item item) = 0;
  // Changes nothing but the time of the next attempt: for those who do not run the queue, since an item that they read
  // may have been served in part when they write. errc::not_found.
  virtual base::task<base::status> reschedule(std::string id, std::int64_t next_attempt) = 0;
  // The end of an attempt that calls for a report (DSN): in one commit the item is replaced (or removed, with `done`)
  // and the report goes into mailboxes or the queue.
  virtual base::task<base::status> finish(queue_item item, bool done, message_source report,
                                          std::vector<local_target> report_targets,
                                          std::vector<queue_item> report_queue) = 0;
  virtual base::task<base::status> remove(std::string id) = 0;
  virtual base::task<base::result<message_octets>> read(blob_ref message) = 0;
  virtual base::task<base::result<std::size_t>> size() = 0;
  // Called from a thread of the store after commits that touched the queue; it must only note the fact and post to its
  // executor.
  virtual subscription watch(std::function<void()> changed) = 0;
};

}  // namespace briefwerk::store

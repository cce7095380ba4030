#pragma once

// What an administrator may do, as commands in JSON: {"command": "account.add", "address": "…"} is answered with
// {"ok": true, …} or {"error": "what is wrong"}. briefwerkctl sends them over the control socket, or runs them itself
// where no server runs.

#include <functional>
#include <string>

#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/store/local_store.hpp"

namespace briefwerk::apps {

class admin {
 public:
  // `metrics` null: no server runs. `queue_changed` is called after a command that makes queued mail due.
  admin(store::local_store& store, const base::crypto& crypto, const base::metrics* metrics,
        std::function<void()> queue_changed);

  // One request, one answer; both without line ends. Answers never hold credentials, nor content of messages but for
  // mailbox.export.
  base::task<std::string> execute(std::string request);

 private:
  store::local_store& store_;
  const base::crypto& crypto_;
  const base::metrics* metrics_;
  std::function<void()> queue_changed_;
};

}  // namespace briefwerk::apps

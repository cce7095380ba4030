#pragma once

// Keeps the indexes of all accounts up to date in the background, and answers sessions.
//
// Two threads: one indexes, with low priority, in batches of bounded memory; one answers questions. New mail is not
// indexed at once but when so much of it has come that this pays (a commit costs the same for one message and for
// hundred), or after a while: what is missing is scanned, which is quick for few messages. While many commits come, or the
// process works for sessions otherwise, the indexing rests, for ten seconds at a time at most, and not for what has waited
// for as long as the lag.

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/search/index.hpp"
#include "briefwerk/store/directory.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::search {

struct service_options {
  std::uint32_t least_messages = 100;             // mailboxes with fewer are scanned
  std::uint32_t batch = 100;                      // so many new messages are indexed soon …
  std::chrono::milliseconds lag{std::chrono::minutes(15)};  // … fewer after so long
  std::chrono::milliseconds settle{std::chrono::seconds(1)};  // between a change and a look at it
  std::chrono::milliseconds look_for_accounts{std::chrono::minutes(1)};
  base::log_sink* log = &base::null_log();        // index.built, index.erased, index.failed
  base::metrics* metrics = nullptr;               // search.*
};

class service final : public finder {
 public:
  // References outlive this. Nothing happens before start().
  service(index& where, store::mailbox_store& mail, store::directory& accounts, service_options options = {});
  service(const service&) = delete;
  service& operator=(const service&) = delete;
  ~service() override;  // a batch under way ends first; questions that wait are answered cancelled

  void start();

  base::task<base::result<findings>> find(store::account_id account, store::mailbox_id mailbox,
                                          std::vector<probe> probes) override;

  // Thread-safe; they come into effect soon.
  void rebuild(store::account_id account);  // an empty id: all
  void forget(store::account_id account);   // it is gone

  index& where() const noexcept;
  bool is_idle() const;  // nothing is due, and nothing under way

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace briefwerk::search

#pragma once

// What an administrator may do, as commands in JSON: {"command": "account.add", "address": "…"} is answered with
// {"ok": true, …} or {"error": "what is wrong"}. briefwerkctl sends them over the control socket, or runs them itself
// where no server runs.

#include <functional>
#include <string>
#include <utility>

#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/delivery/key_ring.hpp"
#include "briefwerk/filter/chain.hpp"
#include "briefwerk/net/tls_context.hpp"
#include "briefwerk/search/service.hpp"
#include "briefwerk/server/ban_export.hpp"
#include "briefwerk/server/login_guard.hpp"
#include "briefwerk/store/local_store.hpp"

namespace briefwerk::apps {

class spam_filter;

class admin {
 public:
  // References outlive this. `metrics` null: no server runs. `queue_changed` is called after a command that makes
  // queued mail due. `chain` null: filter.test is refused.
  admin(store::local_store& store, const base::crypto& crypto, delivery::key_ring& keys, const base::metrics* metrics,
        std::function<void()> queue_changed, const filter::chain* chain = nullptr);

  // For the commands about bans. The guard outlives this; null: there is none.
  void set_guard(server::login_guard* guard, server::nft_options nft) {
    guard_ = guard;
    nft_ = std::move(nft);
  }

  // For the commands about spam, and for what goes with an account. It outlives this; null: there is none.
  void set_spam(spam_filter* spam) { spam_ = spam; }

  // For the commands about the full-text index, which goes with its account. Both outlive this; null: there is none.
  void set_index(search::index* index, search::service* indexing) {
    index_ = index;
    indexing_ = indexing;
  }

  // For `status`. It outlives this; null: there is none.
  void set_tls(const net::tls_context* tls) { tls_ = tls; }

  // One request, one answer; both without line ends. Answers never hold credentials, nor content of messages but for
  // mailbox.export and quarantine.show.
  base::task<std::string> execute(std::string request);

 private:
  store::local_store& store_;
  const base::crypto& crypto_;
  delivery::key_ring& keys_;
  const base::metrics* metrics_;
  std::function<void()> queue_changed_;
  server::login_guard* guard_ = nullptr;
  server::nft_options nft_;
  const filter::chain* chain_;
  spam_filter* spam_ = nullptr;
  search::index* index_ = nullptr;
  search::service* indexing_ = nullptr;
  const net::tls_context* tls_ = nullptr;
};

}  // namespace briefwerk::apps

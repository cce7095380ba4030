#pragma once

// Sends what is in the queue: finds the next hop, speaks SMTP, tries again with growing waits, and tells the sender
// when it gives up. One process of an installation runs the queue; others may fill it.
//
// How often a message is sent. A recipient that a server took is written down before the next domain's turn, and
// before any report; while the store cannot write it down, the item is held and not sent again. So a message goes out
// twice only where the program dies, or is stopped with a store that fails, between the server's 250 and our commit, or where the connection breaks
// between the final dot and the reply to it (RFC 5321 §4.1.1.4, §6.1, RFC 1047): nobody can tell then who has it, and
// twice is better than not at all. Local recipients of an item, and reports, go out in the commit that takes them from
// the item: never twice.

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/resolver.hpp"
#include "briefwerk/delivery/forwarding.hpp"
#include "briefwerk/delivery/routing.hpp"
#include "briefwerk/mailauth/message_signer.hpp"
#include "briefwerk/net/io_threads.hpp"
#include "briefwerk/net/stream.hpp"
#include "briefwerk/net/tls_context.hpp"
#include "briefwerk/store/directory.hpp"
#include "briefwerk/store/queue_store.hpp"

namespace briefwerk::delivery {

struct queue_runner_options {
  router::options routing;                          // hostname, encryption, exceptions
  net::connect_options connect;                     // fixed source addresses
  std::shared_ptr<net::tls_context> recorded;       // client context that notes certificates; required unless all is `none`
  std::shared_ptr<net::tls_context> verified;       // client context that demands them; required for hop_tls::verified
  store::mailbox_store* mailboxes = nullptr;        // for recipients whose domain is served here meanwhile; null: they wait
  mailauth::message_signer* signer = nullptr;       // of reports; null: they are not signed
  forwarding forwards;                              // of what reaches such a recipient and goes on by an alias
  std::chrono::seconds retry_first{300};            // after the first failed attempt; doubled each time
  std::chrono::seconds retry_most{4 * 3600};
  std::chrono::seconds give_up{5 * 24 * 3600};      // RFC 5321 §4.5.4.1: at least four to five days
  std::chrono::seconds warn_after{4 * 3600};        // 0: no delay reports
  std::chrono::seconds keep_connection{5};          // idle, for the next message to the same hop
  std::size_t connections = 20;                     // messages under way at once; those that take more than a minute do
                                                    // not count, up to ten times as many
  std::chrono::milliseconds reply_deadline{std::chrono::minutes(5)};  // RFC 5321 §4.5.3.2
  std::chrono::milliseconds end_deadline{std::chrono::minutes(10)};   // to the final dot, RFC 5321 §4.5.3.2.6
  base::log_sink* log = &base::null_log();
  base::metrics* metrics = nullptr;
};

class queue_runner {
 public:
  // References outlive the runner, and so does the thread it is started on. It works there alone.
  queue_runner(store::queue_store& queue, store::directory& accounts, base::resolver& names, const base::crypto& crypto,
               const base::clock& time, queue_runner_options options);
  ~queue_runner();  // after the thread has ended, or after stop() and its messages under way

  void start(net::io_thread& thread);
  // From any thread: no new attempts. Those under way end, or are cut off with the thread's streams; then they
  // count as not made.
  void stop();
  // From any thread: nothing of it runs any more. A program that ends waits for this after stop(), then ends the thread.
  bool is_idle() const noexcept;
  // From any thread: look at the queue now, whatever the waits say (after briefwerkctl queue retry).
  void wake();

  struct impl;

 private:
  std::shared_ptr<impl> impl_;
};

// The wait after `attempts` failed ones (1 or more).
std::chrono::seconds retry_wait(const queue_runner_options& options, std::uint32_t attempts) noexcept;

}  // namespace briefwerk::delivery

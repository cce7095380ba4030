#pragma once

// The driver of IMAP sessions: a stream from the net room, the machine of the protocol room, mail from any mailbox_store.
//
//   server::imap_options options;
//   options.mail = &mail;                   // the store; memory or durable or the embedder's own
//   options.logins = &authenticator;
//   options.crypto = crypto.get();
//   options.tls = *net::tls_context::server({...});
//   server::imap_server server(std::move(options));
//   auto bound = server.listen(*base::endpoint::parse("127.0.0.1:1143"), threads.size());
//   server.start(threads);

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/net/listener.hpp"
#include "briefwerk/net/stream.hpp"
#include "briefwerk/net/tls_context.hpp"
#include "briefwerk/protocol/imap/capability.hpp"
#include "briefwerk/search/index.hpp"
#include "briefwerk/server/authenticator.hpp"
#include "briefwerk/server/message_buffer.hpp"
#include "briefwerk/store/directory.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::server {

// What this driver can do of what the machine knows.
protocol::imap::capabilities imap_capabilities();

// What a user says of stored messages: by moving or copying them into the mailbox for junk (special use, RFC 6154) or out
// of it (but not to \Trash), by appending them there, or by giving them $Junk or $NotJunk, which they did not have. REPLACE
// into it is about the new message, out of it about the one that was there; within it nothing is said.
struct junk_report {
  store::account_id account;
  std::vector<store::blob_ref> messages;  // at least one
  bool junk = false;
};

// What all sessions of one kind share. Pointers must outlive the sessions.
struct imap_options {
  store::mailbox_store* mail = nullptr;      // required
  server::authenticator* logins = nullptr;   // required
  store::directory* accounts = nullptr;      // by whose logins mailboxes are shared (RFC 4314); null: none are
  const base::crypto* crypto = nullptr;      // required: session ids
  search::finder* finder = nullptr;          // null: every message is scanned for texts
  std::shared_ptr<net::tls_context> tls;     // null: no TLS, so no login either unless login_without_tls
  bool implicit_tls = false;                 // TLS from the first octet (port 993)
  bool login_without_tls = false;            // only what an administrator wrote into the configuration
  bool login_command = true;                 // false: only AUTHENTICATE
  std::string hostname = "localhost";        // in the greeting
  protocol::imap::capabilities offered = imap_capabilities();
  std::uint64_t message_size = base::limits::message_size;  // of APPEND
  // RFC 9738: messages of one command; 0: no limit, and not told. The first is of every command, the second of COPY and
  // APPEND alone. Neither should be below 1000 (§3).
  std::uint32_t message_limit = 0, save_limit = 0;
  std::uint64_t sort_memory = 128ull << 20;  // octets for what SORT keeps of mailboxes; unused parts go after a while
  std::uint64_t search_memory = 64ull << 20;  // octets for what SEARCH keeps of header fields; unused parts go likewise
  message_buffer::options buffer;            // where an APPEND's octets wait
  base::log_sink* log = &base::null_log();
  base::metrics* metrics = nullptr;          // null: not counted
  const base::clock* clock = &base::system_clock();
  // Called on a session's thread, which it must not hold up; must not throw. Not set: nobody wants to know.
  std::function<void(junk_report)> reported{};
  std::string administrator;                 // URI, told as /shared/admin (RFC 5464 §6.2.2); empty: not told
  std::string name = "imap";                 // of the log events and counters
  std::chrono::milliseconds login_deadline{std::chrono::minutes(1)};   // for each line before the login
  std::chrono::milliseconds idle_deadline{std::chrono::minutes(30)};   // after it (RFC 9051 §5.4), IDLE included
  // Between two words to a client in IDLE that has nothing else to be told: what stands between forgets connections that
  // are quiet (RFC 9051 §6.3.13 lets the client wait for 29 minutes), and a client that is gone is noticed. 0: none.
  std::chrono::milliseconds idle_word_interval{std::chrono::minutes(2)};
  std::chrono::milliseconds progress_interval{std::chrono::seconds(10)};  // between two words of a long command (RFC 9585)
  std::chrono::milliseconds write_deadline{std::chrono::minutes(5)};   // the client takes nothing
};

// The options made ready, and what the sessions share while they run. Must outlive them.
class imap_service {
 public:
  explicit imap_service(imap_options options);
  ~imap_service();
  imap_service(const imap_service&) = delete;
  imap_service& operator=(const imap_service&) = delete;
  const imap_options& options() const noexcept;

  struct impl;
  impl& internals() noexcept { return *impl_; }  // for the sessions

 private:
  std::unique_ptr<impl> impl_;
};

// Serves one connection to its end, on the stream's thread.
base::task<void> serve_imap(net::stream stream, imap_service& service);

// For embedders: listeners and sessions in one object. Must outlive its sessions: stop the threads first.
class imap_server {
 public:
  explicit imap_server(imap_options options, net::listener_options listening = {});
  // Bind first, start later: privileges can be dropped in between.
  net::explained<void> listen(base::endpoint address, unsigned sockets = 1) { return listener_.bind(address, sockets); }
  std::vector<base::endpoint> endpoints() const { return listener_.endpoints(); }
  void start(net::io_threads& threads);
  void start(net::io_thread& thread);
  void stop() { listener_.stop(); }  // stops accepting; sessions go on

 private:
  imap_service service_;
  net::listener listener_;
};

}  // namespace briefwerk::server

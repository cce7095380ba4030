#pragma once

// The driver of SMTP and Submission sessions: a stream from the net room, the machine of the protocol room, decisions
// by a handler.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/net/listener.hpp"
#include "briefwerk/net/stream.hpp"
#include "briefwerk/net/tls_context.hpp"
#include "briefwerk/protocol/smtp/server_session.hpp"
#include "briefwerk/server/authenticator.hpp"
#include "briefwerk/server/smtp_handler.hpp"

namespace briefwerk::server {

// What all sessions of one kind share: filled by main(), then not changed. Pointers must outlive the sessions.
struct smtp_service {
  // smtp_server takes offer_starttls from `tls`, and the mechanisms from `authenticator`; for serve_smtp() they must be set.
  protocol::smtp::server_options protocol;
  smtp_handler* handler = nullptr;          // required
  const base::crypto* crypto = nullptr;     // required: session ids
  std::shared_ptr<net::tls_context> tls;    // null: STARTTLS is not offered
  bool implicit_tls = false;                // TLS from the first octet (port 465)
  server::authenticator* authenticator = nullptr;  // null: AUTH is not offered
  base::log_sink* log = &base::null_log();
  base::metrics* metrics = nullptr;         // null: not counted
  std::string name = "smtp";                // of the log events and counters: "smtp", "submission"
  message_buffer::options buffer;
  std::chrono::milliseconds command_deadline{std::chrono::minutes(5)};  // a whole command line, RFC 5321 §4.5.3.2.7
  std::chrono::milliseconds data_deadline{std::chrono::minutes(5)};     // between two arrivals of a message's octets
  std::chrono::milliseconds message_deadline{std::chrono::hours(2)};    // a whole message
};

// Serves one connection to its end. `service` outlives it.
base::task<void> serve_smtp(net::stream stream, const smtp_service& service);

// For embedders: listeners and sessions in one object, which outlives the threads' sessions. Graceful end:
// io_threads::stop(grace) closes the listener, lets transactions that are open end, and says 421 to all others.
//
//   server::smtp_server server(std::move(service));
//   auto bound = server.listen(*base::endpoint::parse("127.0.0.1:2525"), threads.size());
//   server.start(threads);
class smtp_server {
 public:
  explicit smtp_server(smtp_service service, net::listener_options options = {});
  // Bind first, start later: privileges can be dropped in between.
  net::explained<void> listen(base::endpoint address, unsigned sockets = 1) { return listener_.bind(address, sockets); }
  std::vector<base::endpoint> endpoints() const { return listener_.endpoints(); }
  void start(net::io_threads& threads);
  void start(net::io_thread& thread);
  void stop() { listener_.stop(); }  // stops accepting; sessions go on

 private:
  smtp_service service_;
  net::listener listener_;
};

}  // namespace briefwerk::server

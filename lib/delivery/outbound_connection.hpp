#pragma once

// One connection to a next hop, used for one message after another.

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "briefwerk/base/task.hpp"
#include "briefwerk/delivery/routing.hpp"
#include "briefwerk/net/stream.hpp"
#include "briefwerk/net/tls_context.hpp"
#include "briefwerk/protocol/smtp/client_session.hpp"

namespace briefwerk::delivery {

class outbound_connection {
 public:
  struct options {
    std::string hostname;          // of EHLO
    hop_tls tls = hop_tls::required;
    net::tls_context* recorded = nullptr;  // certificates are noted, not demanded
    net::tls_context* verified = nullptr;  // they are demanded
    net::connect_options connect;
    std::chrono::milliseconds deadline{std::chrono::minutes(5)};       // a reply, RFC 5321 §4.5.3.2
    std::chrono::milliseconds end_deadline{std::chrono::minutes(10)};  // the reply to the final dot, §4.5.3.2.6
  };

  outbound_connection(next_hop hop, options how);
  outbound_connection(const outbound_connection&) = delete;
  outbound_connection& operator=(const outbound_connection&) = delete;

  // Connects, greets, encrypts. Nothing: ready. Otherwise why not, as a reply: 4yz to try the next address or later.
  base::task<std::optional<protocol::smtp::reply>> open(net::io_thread& thread, base::ip_address address);

  // After open(), or after a send() that left the connection ready.
  base::task<void> send(const mail::smtp_envelope& envelope, std::string_view octets);
  std::span<const protocol::smtp::recipient_outcome> outcomes() const noexcept { return session_.outcomes(); }
  // The server left before it could take the message, or has no REQUIRETLS: the message may be sent again, to this host
  // or to another.
  bool nothing_taken() const noexcept;

  bool is_ready() const noexcept { return ready_; }
  // Ready, and neither we nor the server (LIMITS MAILMAX, RFC 9422) have had enough of this connection.
  bool may_go_on() const noexcept;
  bool timed_out() const noexcept { return timed_out_; }  // what was waited for last did not come
  bool handshake_failed() const noexcept { return tls_failure_.has_value(); }
  base::task<void> quit();

  const next_hop& hop() const noexcept { return hop_; }
  base::endpoint peer() const { return peer_; }
  const std::string& tls_version() const noexcept { return tls_version_; }
  std::chrono::steady_clock::time_point last_used{};

 private:
  enum class stop_at { ready, finished, closed };
  base::task<void> drive(stop_at until);
  base::task<bool> handle(const protocol::smtp::client_step& step, stop_at until);  // false: enough
  base::task<bool> handshake();
  std::chrono::milliseconds patience();

  next_hop hop_;
  options options_;
  protocol::smtp::client_options client_options_;
  protocol::smtp::client_session session_;
  net::stream stream_;
  base::endpoint peer_;
  std::unique_ptr<char[]> input_;
  std::string_view message_;
  std::string tls_version_;
  std::optional<protocol::smtp::reply> tls_failure_;
  std::chrono::steady_clock::time_point waiting_since_{};  // for the next reply
  std::size_t replies_due_ = 0;
  std::size_t messages_ = 0;
  bool timed_out_ = false;
  bool ready_ = false;
};

}  // namespace briefwerk::delivery

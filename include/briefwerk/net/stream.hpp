#pragma once

// A connection: TCP (or a Unix socket), with or without TLS. Belongs to one io_thread; every member is called there.
//
//   co_await s.readable();                     // waits without holding a buffer
//   auto got = co_await s.read_some(buffer);
//   auto sent = co_await s.write("250 OK\r\n");
//
// One operation that reads (readable, read_some, start_tls_*) and one that writes may wait at the same time.
// Operations are awaitables, not tasks: they begin when they are awaited, cost no allocation, and where they need not
// wait they do not suspend. The chain that is resumed may destroy the stream. A stream destroyed or closed while an
// operation waits answers it with base::errc::cancelled.

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/net/error.hpp"
#include "briefwerk/net/standing.hpp"

namespace briefwerk::net {

class io_thread;
class stream;
class tls_context;

// What was agreed in the handshake. Strings are short and copied.
struct tls_info {
  std::string version;      // "TLSv1.3", "TLSv1.2"
  std::string cipher;       // IETF name: "TLS_AES_128_GCM_SHA256"
  int bits = 0;             // of the cipher's key
  std::string group;        // key exchange, "X25519"; empty where it is not known
  std::string server_name;  // SNI as the client sent it
  std::string alpn;         // agreed protocol, or empty
  bool resumed = false;
  bool peer_certificate = false;      // the peer sent one
  bool peer_verified = false;         // and it was verified, the host name included
  std::error_code peer_verification;  // why not, where it was not
};

// The peer's own certificate, for SASL EXTERNAL and for logs.
struct peer_certificate {
  std::string sha256;                  // of the DER form, raw octets
  std::string subject;                 // one line, RFC 2253
  std::vector<std::string> dns_names;  // subjectAltName
  std::vector<std::string> email_addresses;
  std::string der;
};

namespace detail {

struct stream_core;
struct connection_permit;  // releases its place in a listener's limits

// One operation in the frame of the coroutine that awaits it.
class stream_operation {
 public:
  enum class kind : std::uint8_t { readable, read, write, handshake, goodbye };

  stream_operation(const stream_operation&) = delete;
  stream_operation& operator=(const stream_operation&) = delete;
  ~stream_operation();

  bool await_ready();
  bool await_suspend(std::coroutine_handle<> waiter);

 protected:
  explicit stream_operation(stream_core* core, kind what) noexcept : core_(core), kind_(what) {}

  friend struct stream_core;
  friend class net::stream;
  stream_core* core_;
  std::coroutine_handle<> waiter_;
  std::error_code error_;
  std::chrono::steady_clock::time_point deadline_{};
  std::span<char> buffer_;
  std::span<const std::string_view> pieces_;
  std::string_view single_;
  std::size_t done_ = 0;    // octets moved
  std::size_t piece_ = 0;   // write: next piece
  std::size_t offset_ = 0;  // write: within it
  std::size_t record_ = 0;  // write: plaintext octets of a TLS record that waits for the socket
  kind kind_;
  bool waits_to_write_ = false;
  bool ended_ = false;
};

}  // namespace detail

// co_await answers result<size_t>.
class [[nodiscard]] read_operation : public detail::stream_operation {
 public:
  result<std::size_t> await_resume() const noexcept {
    if (error_) return fail(error_);
    return done_;
  }

 private:
  friend class stream;
  read_operation(detail::stream_core* core, std::span<char> buffer) noexcept : stream_operation(core, kind::read) {
    buffer_ = buffer;
  }
};

// co_await answers status.
class [[nodiscard]] status_operation : public detail::stream_operation {
 public:
  status await_resume() const noexcept {
    if (error_) return fail(error_);
    return {};
  }

 private:
  friend class stream;
  status_operation(detail::stream_core* core, kind what, std::error_code known = {}) noexcept
      : stream_operation(core, what) {
    error_ = known;
    ended_ = static_cast<bool>(known);
  }
  status_operation(detail::stream_core* core, std::span<const std::string_view> pieces,
                   std::string_view single) noexcept
      : stream_operation(core, kind::write) {
    pieces_ = pieces;
    single_ = single;
  }
};

class stream {
 public:
  // Without a connection: operations answer errc::cancelled.
  stream() noexcept;
  // Takes over a connected socket (TCP or Unix), makes it non-blocking and switches Nagle's algorithm off.
  stream(io_thread& thread, int socket);
  stream(stream&&) noexcept;
  stream& operator=(stream&&) noexcept;
  ~stream();  // close()

  bool is_open() const noexcept;
  io_thread& thread() const noexcept;  // of an open or closed connection; not of stream()

  // Each operation that begins after this call may take so long from its own beginning, then ends with
  // errc::timed_out (the connection is still there). A write has it anew whenever the peer took something.
  // Default: 5 minutes.
  void set_deadline(std::chrono::milliseconds duration) noexcept;

  // Ends when read_some() would probably not wait, or the peer has closed. The idle point of a session:
  // errc::stopping when the server is to end.
  status_operation readable();

  // At least one octet, or errc::end_of_stream; tls_truncated when TLS ended without its closing message.
  read_operation read_some(std::span<char> buffer);

  // Without waiting: 0 when nothing is there now. A session tries this and gives its buffer back before readable().
  result<std::size_t> try_read(std::span<char> buffer);

  // Everything or an error. The pieces and what they point to stay until the end; small pieces leave in one packet
  // and one TLS record. Several pieces are for scattered output, not for one octet each.
  status_operation write(std::span<const std::string_view> pieces);
  status_operation write(std::string_view text);

  // The handshake. `context` is used until the handshake ends; what was read in the clear before belongs to the caller,
  // who must not use it any more (RFC 3207 §4.2). After an error only close() makes sense.
  status_operation start_tls_server(tls_context& context);
  // `host_name`: A-label form or an IP address, for SNI and for verification.
  status_operation start_tls_client(tls_context& context, std::string_view host_name);

  // Says good-bye: TLS's closing message, end of the TCP direction. Then reads and drops what still comes until the
  // peer closes or `linger` has passed, since a close with unread input resets the connection and may take the last
  // reply with it. close() still has to follow.
  base::task<status> shutdown(std::chrono::milliseconds linger = std::chrono::milliseconds(0));

  // At once. Waiting operations answer errc::cancelled (posted, never inside the call).
  void close() noexcept;
  // The same answer, but the connection stays.
  void cancel() noexcept;
  // Only the operation that reads: an IDLE session that has news ends its wait for the client with it.
  void cancel_read() noexcept;

  base::endpoint peer() const;  // 0.0.0.0:0 for a Unix socket
  base::endpoint local() const;
  // Another peer address from now on, for instance from the PROXY protocol.
  void set_peer(base::endpoint peer) noexcept;
  // Decides who is first where several streams of the thread wait for TLS handshakes. Unknown unless it is set;
  // start_tls_client() makes it good, since it was us who connected.
  void set_standing(standing of_peer) noexcept;
  int native_handle() const noexcept;  // stays ours; -1 when closed

  bool is_tls() const noexcept;  // after the handshake
  tls_info tls() const;
  result<peer_certificate> certificate_of_peer() const;  // base::errc::not_found: none was sent

  // RFC 5705, RFC 8446 §7.5; without context. errc::no_secret without TLS.
  result<std::string> export_keying_material(std::string_view label, std::size_t length) const;
  // Channel bindings, RFC 9266 (32 octets; with TLS 1.2 only with extended master secret) and RFC 5929 §4.
  result<std::string> tls_exporter() const;
  result<std::string> tls_server_end_point() const;

  // For listeners: held until the connection is closed.
  void attach(std::shared_ptr<detail::connection_permit> permit) noexcept;

 private:
  detail::stream_core* core_;  // one reference
};

struct connect_options {
  std::chrono::milliseconds deadline{30000};
  // Fixed source addresses; the one of the destination's family is used. 0.0.0.0 and :: leave the choice to the system.
  base::ip_address source_v4;
  base::ip_address source_v6 = base::ip_address::v6({});
};

// On `thread`. Errors: the system's (ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL for a source address that is not ours),
// errc::timed_out.
base::task<result<stream>> connect(io_thread& thread, base::endpoint destination, connect_options options = {});
base::task<result<stream>> connect_unix(io_thread& thread, std::string path);

}  // namespace briefwerk::net

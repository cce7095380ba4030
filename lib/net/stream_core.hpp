#pragma once

// The state behind a stream. Counted by references: the stream has one, each wait that Asio holds has one, so a
// chain that is resumed may destroy the stream.

#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <utility>

#include "briefwerk/net/stream.hpp"
#include "net/event_loop.hpp"

namespace briefwerk::net {

struct tls_state;

namespace detail {

struct stream_core {
  using time_point = std::chrono::steady_clock::time_point;
  using operation = stream_operation;

  stream_core(io_thread& on, int fd);
  ~stream_core();

  // Tries what can be done at once. True: the operation has ended, result and error are in it.
  bool attempt(operation& op);
  // Puts the operation into its slot and waits.
  void suspend(operation& op);
  void forget(operation& op) noexcept;

  void close() noexcept;
  void cancel(bool reader_too, bool writer_too) noexcept;
  void on_stopping();
  result<std::size_t> try_read(std::span<char> buffer);
  const base::endpoint& known_peer();  // as set, else as the system has it

  // Prepare the handshake; the operation that follows performs it.
  std::error_code begin_tls_server(tls_context& context);
  std::error_code begin_tls_client(tls_context& context, std::string_view host);

  static stream_core* of(const SSL* ssl) noexcept { return static_cast<stream_core*>(SSL_get_app_data(ssl)); }

  io_thread* thread;
  io_thread::impl* loop;
  stream_core* next = nullptr;
  stream_core* previous = nullptr;
  loop_descriptor socket;
  loop_timer timer;
  int fd = -1;  // of `socket`: native_handle() is no plain load there
  unsigned references = 1;
  std::chrono::milliseconds duration{300000};
  time_point armed_until = time_point::max();
  operation* reader = nullptr;
  operation* writer = nullptr;
  bool read_wait = false, write_wait = false;  // an Asio wait is pending
  bool closed = false;
  bool tls_ready = false;
  bool may_receive = false;  // the running attempt may ask the socket
  bool peer_is_set = false;
  net::standing standing = net::standing::unknown;  // of the peer
  int socket_error = 0;          // errno of the running attempt
  std::error_code verification;  // of the peer's certificate, in the handshake
  base::endpoint peer;
  std::shared_ptr<connection_permit> permit;

  bssl::UniquePtr<SSL> ssl;
  std::shared_ptr<const tls_state> tls;           // certificates, ticket keys, session cache: kept as long as `ssl`
  const std::string* server_end_point = nullptr;  // RFC 5929 §4 hash of our certificate, in `tls`
  std::string session_key;                        // client: the host name, under which sessions are kept
  // TLS octets received beyond what the caller had room for. Points into the thread's scratch while an attempt runs.
  const char* ahead = nullptr;
  const char* ahead_end = nullptr;
  std::unique_ptr<char[]> ahead_memory;
  std::size_t receive_size = 0;

 private:
  enum class progress : std::uint8_t { ended, wants_read, wants_write };
  friend struct socket_bio;

  progress read_plain(operation& op);
  progress write_plain(operation& op);
  progress read_tls(operation& op);
  progress write_tls(operation& op);
  progress handshake(operation& op);
  progress goodbye(operation& op);
  progress tls_stopped(operation& op, int returned);
  std::error_code begin_tls(SSL_CTX* context);
  void keep_ahead();
  void wait(bool to_write);
  void on_ready(bool to_write, const std::error_code& error);
  void retry(operation* const& slot, bool to_write);
  void go_on(operation* const& slot);
  void end(operation& op);
  void arm(time_point until);
  void on_timer(const std::error_code& error);
  void give_up(operation* op, std::error_code why);
};

class core_reference {
 public:
  explicit core_reference(stream_core* core) noexcept : core_(core) { ++core_->references; }
  core_reference(core_reference&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  core_reference(const core_reference& other) noexcept : core_(other.core_) { ++core_->references; }
  core_reference& operator=(core_reference) = delete;
  ~core_reference() {
    if (core_ != nullptr && --core_->references == 0) delete core_;
  }
  stream_core* operator->() const noexcept { return core_; }

 private:
  stream_core* core_;
};

// Advances a write by n octets; next_chunk answers what comes next (empty at the end).
std::string_view next_chunk(std::span<const std::string_view> pieces, std::size_t& piece, std::size_t& offset) noexcept;
void advance(std::span<const std::string_view> pieces, std::size_t& piece, std::size_t& offset, std::size_t n) noexcept;

inline std::error_code system_error(int value) noexcept { return {value, std::generic_category()}; }

}  // namespace detail
}  // namespace briefwerk::net

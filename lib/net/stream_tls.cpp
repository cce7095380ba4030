// TLS of a stream. BoringSSL reads and writes the socket through a BIO without a buffer of its own: received octets go
// through the thread's scratch memory, so an idle connection holds none, and one recv() serves several records.

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/stream_core.hpp"
#include "net/tls_state.hpp"

namespace briefwerk::net::detail {

// --- the socket as BoringSSL sees it --------------------------------------------------------------------------

struct socket_bio {
  static int read(BIO* bio, char* out, int length) {
    auto* core = static_cast<stream_core*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (core->ahead == core->ahead_end) {
      if (!core->may_receive) {
        BIO_set_retry_read(bio);
        return -1;
      }
      const ssize_t got = ::recv(core->fd, core->loop->scratch.get(), core->receive_size, 0);
      if (got == 0) return 0;
      if (got < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
          BIO_set_retry_read(bio);
        else
          core->socket_error = errno;
        return -1;
      }
      core->ahead = core->loop->scratch.get();
      core->ahead_end = core->ahead + got;
    }
    const std::size_t n =
        std::min(static_cast<std::size_t>(length), static_cast<std::size_t>(core->ahead_end - core->ahead));
    std::memcpy(out, core->ahead, n);
    core->ahead += n;
    return static_cast<int>(n);
  }

  static int write(BIO* bio, const char* data, int length) {
    auto* core = static_cast<stream_core*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const ssize_t sent = ::send(core->fd, data, static_cast<std::size_t>(length), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        BIO_set_retry_write(bio);
      else
        core->socket_error = errno;
      return -1;
    }
    return static_cast<int>(sent);
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_TYPE_SOCKET, "briefwerk stream");
      BIO_meth_set_read(m, &socket_bio::read);
      BIO_meth_set_write(m, &socket_bio::write);
      BIO_meth_set_ctrl(m, &socket_bio::control);
      return m;
    }();
    return made;
  }
};

// What is left in the scratch memory moves into memory of the stream; it goes back when it is used up.
void stream_core::keep_ahead() {
  may_receive = false;
  const bool in_scratch = ahead >= loop->scratch.get() && ahead <= loop->scratch.get() + io_thread::impl::scratch_size;
  if (ahead == ahead_end) {
    ahead = ahead_end = nullptr;
    ahead_memory.reset();
  } else if (in_scratch) {
    const auto left = static_cast<std::size_t>(ahead_end - ahead);
    ahead_memory = std::make_unique_for_overwrite<char[]>(left);
    std::memcpy(ahead_memory.get(), ahead, left);
    ahead = ahead_memory.get();
    ahead_end = ahead + left;
  }
}

// --- errors ---------------------------------------------------------------------------------------------------

namespace {

std::error_code handshake_error(std::uint32_t packed) noexcept {
  if (ERR_GET_LIB(packed) != ERR_LIB_SSL) return errc::tls_failed;
  switch (ERR_GET_REASON(packed)) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return errc::tls_version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUP:
    case SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return errc::tls_no_shared_cipher;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
      return errc::tls_not_tls;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_TLSV1_ALERT_CERTIFICATE_REQUIRED:
      return errc::certificate_missing;
    default:
      return errc::tls_failed;
  }
}

}  // namespace

// After a call of BoringSSL that did not succeed.
stream_core::progress stream_core::tls_stopped(operation& op, int returned) {
  switch (SSL_get_error(ssl.get(), returned)) {
    case SSL_ERROR_WANT_READ:
      return progress::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return progress::wants_write;
    case SSL_ERROR_ZERO_RETURN:
      op.error_ = base::errc::end_of_stream;
      break;
    case SSL_ERROR_SYSCALL:
      op.error_ = socket_error != 0 ? system_error(socket_error) : make_error_code(errc::tls_truncated);
      break;
    default:
      op.error_ = verification ? verification : handshake_error(ERR_peek_error());
      break;
  }
  ERR_clear_error();
  return progress::ended;
}

// --- data -----------------------------------------------------------------------------------------------------

stream_core::progress stream_core::read_tls(operation& op) {
  if (op.buffer_.empty()) return progress::ended;
  ERR_clear_error();
  socket_error = 0;
  may_receive = true;
  // Room for one record at least; beyond that no more than the caller takes, so that little has to be kept.
  receive_size =
      std::min(std::max(op.buffer_.size(), io_thread::impl::record_size) + 512, io_thread::impl::scratch_size);
  progress outcome = progress::ended;
  while (op.done_ < op.buffer_.size()) {
    const auto room = static_cast<int>(std::min<std::size_t>(op.buffer_.size() - op.done_, 1u << 30));
    const int got = SSL_read(ssl.get(), op.buffer_.data() + op.done_, room);
    if (got > 0) {
      op.done_ += static_cast<std::size_t>(got);
      may_receive = false;
      continue;
    }
    // With data in hand an error waits for the next call: BoringSSL answers it again.
    if (op.done_ == 0) outcome = tls_stopped(op, got);
    break;
  }
  if (op.done_ != 0) ERR_clear_error();
  keep_ahead();
  return outcome;
}

stream_core::progress stream_core::write_tls(operation& op) {
  constexpr std::size_t record_size = io_thread::impl::record_size;
  ERR_clear_error();
  socket_error = 0;
  const auto pieces = op.pieces_.empty() ? std::span<const std::string_view>(&op.single_, 1) : op.pieces_;
  for (;;) {
    // A record that waits for the socket is encrypted already: BoringSSL compares its length only.
    const char* from = loop->record.get();
    if (op.record_ == 0) {
      const std::string_view chunk = next_chunk(pieces, op.piece_, op.offset_);
      if (chunk.empty()) return progress::ended;
      if (chunk.size() >= record_size || op.piece_ + 1 == pieces.size()) {
        from = chunk.data();
        op.record_ = std::min(chunk.size(), record_size);
      } else {
        std::size_t piece = op.piece_, offset = op.offset_;
        for (;;) {
          const std::string_view part = next_chunk(pieces, piece, offset).substr(0, record_size - op.record_);
          if (part.empty()) break;
          std::memcpy(loop->record.get() + op.record_, part.data(), part.size());
          op.record_ += part.size();
          offset += part.size();
        }
      }
    }
    const int sent = SSL_write(ssl.get(), from, static_cast<int>(op.record_));
    if (sent <= 0) {
      const progress outcome = tls_stopped(op, sent);
      keep_ahead();
      return outcome;
    }
    op.record_ = 0;
    op.done_ += static_cast<std::size_t>(sent);
    advance(pieces, op.piece_, op.offset_, static_cast<std::size_t>(sent));
  }
}

stream_core::progress stream_core::goodbye(operation& op) {
  if (ssl != nullptr) {
    ERR_clear_error();
    socket_error = 0;
    const int said = SSL_shutdown(ssl.get());
    keep_ahead();
    if (said < 0) {
      const progress outcome = tls_stopped(op, said);
      // Waiting for the peer's message is not ours to do here; a peer that has gone needs no good-bye.
      if (outcome == progress::wants_write) return outcome;
      op.error_.clear();
    }
  }
  if (::shutdown(fd, SHUT_WR) != 0 && errno != ENOTCONN) op.error_ = system_error(errno);
  return progress::ended;
}

// --- handshake ------------------------------------------------------------------------------------------------

stream_core::progress stream_core::handshake(operation& op) {
  ERR_clear_error();
  socket_error = 0;
  may_receive = true;
  receive_size = io_thread::impl::record_size;
  const int done = SSL_do_handshake(ssl.get());
  progress outcome = progress::ended;
  if (done <= 0) {
    outcome = tls_stopped(op, done);
    if (op.error_ == base::errc::end_of_stream) op.error_ = errc::tls_truncated;
  } else {
    tls_ready = true;
  }
  keep_ahead();
  return outcome;
}

std::error_code stream_core::begin_tls(SSL_CTX* context) {
  if (closed || ssl != nullptr)
    return closed ? make_error_code(base::errc::cancelled) : make_error_code(errc::tls_failed);
  ssl.reset(SSL_new(context));
  BIO* bio = BIO_new(socket_bio::method());
  if (ssl == nullptr || bio == nullptr) return errc::tls_failed;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_app_data(ssl.get(), this);
  SSL_set_shed_handshake_config(ssl.get(), 1);
  SSL_set_mode(ssl.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return {};
}

std::error_code stream_core::begin_tls_server(tls_context& context) {
  auto state = context.internals().current();
  if (!state->server) return base::errc::unsupported;
  const std::error_code error = begin_tls(state->identities.front().context.get());
  if (error) return error;
  tls = std::move(state);
  SSL_set_accept_state(ssl.get());
  return {};
}

std::error_code stream_core::begin_tls_client(tls_context& context, std::string_view host) {
  auto state = context.internals().current();
  if (state->server) return base::errc::unsupported;
  const std::error_code error = begin_tls(state->identities.front().context.get());
  if (error) return error;
  tls = std::move(state);
  SSL_set_connect_state(ssl.get());
  standing = net::standing::good;
  session_key.assign(host);
  X509_VERIFY_PARAM* param = SSL_get0_param(ssl.get());
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const result<base::ip_address> literal = base::ip_address::parse(host);
  if (literal) {  // RFC 6066 §3: an address is no server name
    const std::string_view octets = literal->octets();
    X509_VERIFY_PARAM_set1_ip(param, reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size());
  } else {
    if (host.empty() || X509_VERIFY_PARAM_set1_host(param, host.data(), host.size()) != 1) return base::errc::malformed;
    if (SSL_set_tlsext_host_name(ssl.get(), session_key.c_str()) != 1) return base::errc::malformed;
  }
  if (tls->sessions) {
    const bssl::UniquePtr<SSL_SESSION> earlier = tls->sessions->take(session_key);
    if (earlier) SSL_set_session(ssl.get(), earlier.get());
  }
  return {};
}

}  // namespace briefwerk::net::detail

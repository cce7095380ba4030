#include "briefwerk/net/stream.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "net/socket_address.hpp"
#include "net/stream_core.hpp"

namespace briefwerk::net {
namespace detail {

stream_operation::~stream_operation() {
  if (waiter_ && core_ != nullptr) core_->forget(*this);
}

bool stream_operation::await_ready() {
  if (core_ == nullptr) {
    error_ = base::errc::cancelled;
    return true;
  }
  const bool writes = kind_ == kind::write || kind_ == kind::goodbye;
  if ((writes ? core_->writer : core_->reader) != nullptr) {
    error_ = std::make_error_code(std::errc::operation_in_progress);
    return true;
  }
  return core_->attempt(*this);
}

bool stream_operation::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  core_->suspend(*this);
  return true;
}

}  // namespace detail

stream::stream() noexcept : core_(nullptr) {}

stream::stream(io_thread& thread, int socket) : core_(nullptr) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails for a Unix socket, which has no delay
  core_ = new detail::stream_core(thread, socket);
  std::error_code ignored;
  core_->socket.native_non_blocking(true, ignored);
}

stream::stream(stream&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}

stream& stream::operator=(stream&& other) noexcept {
  std::swap(core_, other.core_);
  return *this;
}

stream::~stream() {
  if (core_ == nullptr) return;
  core_->close();
  if (--core_->references == 0) delete core_;
}

bool stream::is_open() const noexcept { return core_ != nullptr && !core_->closed; }
io_thread& stream::thread() const noexcept { return *core_->thread; }

void stream::set_deadline(std::chrono::milliseconds duration) noexcept {
  if (core_ != nullptr) core_->duration = duration;
}

status_operation stream::readable() { return status_operation(core_, detail::stream_operation::kind::readable); }

read_operation stream::read_some(std::span<char> buffer) { return read_operation(core_, buffer); }

result<std::size_t> stream::try_read(std::span<char> buffer) {
  if (core_ == nullptr) return fail(base::errc::cancelled);
  return core_->try_read(buffer);
}

status_operation stream::write(std::span<const std::string_view> pieces) {
  return status_operation(core_, pieces, std::string_view());
}
status_operation stream::write(std::string_view text) {
  return status_operation(core_, std::span<const std::string_view>(), text);
}

status_operation stream::start_tls_server(tls_context& context) {
  constexpr auto what = detail::stream_operation::kind::handshake;
  return status_operation(core_, what, core_ == nullptr ? std::error_code() : core_->begin_tls_server(context));
}

status_operation stream::start_tls_client(tls_context& context, std::string_view host_name) {
  constexpr auto what = detail::stream_operation::kind::handshake;
  return status_operation(core_, what,
                          core_ == nullptr ? std::error_code() : core_->begin_tls_client(context, host_name));
}

void stream::close() noexcept {
  if (core_ != nullptr) core_->close();
}
void stream::cancel() noexcept {
  if (core_ != nullptr) core_->cancel(true, true);
}
void stream::cancel_read() noexcept {
  if (core_ != nullptr) core_->cancel(true, false);
}

base::task<status> stream::shutdown(std::chrono::milliseconds linger) {
  if (!is_open()) co_return fail(base::errc::cancelled);
  const status said = co_await status_operation(core_, detail::stream_operation::kind::goodbye);
  if (!said || linger.count() <= 0) co_return said;
  // As long as the peer still sends, its input is thrown away, up to a bound.
  const auto until = std::chrono::steady_clock::now() + linger;
  const auto usual = core_->duration;
  char dropped[4096];
  for (std::size_t budget = 1u << 20; budget > 0 && is_open();) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    core_->duration = left;
    const result<std::size_t> got = co_await read_some(dropped);
    if (!got) break;
    budget -= std::min(budget, *got);
  }
  core_->duration = usual;
  co_return status();
}

base::endpoint stream::peer() const {
  return core_ == nullptr ? base::endpoint() : core_->known_peer();
}

base::endpoint stream::local() const {
  return core_ == nullptr || core_->fd < 0 ? base::endpoint() : local_of(core_->fd);
}

void stream::set_peer(base::endpoint peer) noexcept {
  if (core_ == nullptr) return;
  core_->peer = peer;
  core_->peer_is_set = true;
}

void stream::set_standing(standing of_peer) noexcept {
  if (core_ != nullptr) core_->standing = of_peer;
}

int stream::native_handle() const noexcept { return core_ == nullptr ? -1 : core_->fd; }

void stream::attach(std::shared_ptr<detail::connection_permit> permit) noexcept {
  if (core_ != nullptr) core_->permit = std::move(permit);
}

}  // namespace briefwerk::net

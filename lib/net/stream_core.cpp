#include "net/stream_core.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "net/socket_address.hpp"

namespace briefwerk::net::detail {

stream_core::stream_core(io_thread& on, int socket_fd)
    : thread(&on), loop(&on.internals()), socket(loop->context, socket_fd), timer(loop->context), fd(socket_fd) {
  next = loop->first_stream;
  if (next != nullptr) next->previous = this;
  loop->first_stream = this;
  loop->streams.fetch_add(1, std::memory_order_relaxed);
}

// The stream's own reference is given back after close(), so nothing is left to be done.
stream_core::~stream_core() = default;

const base::endpoint& stream_core::known_peer() {
  if (!peer_is_set && fd >= 0) {
    peer = peer_of(fd);
    peer_is_set = true;
  }
  return peer;
}

// --- operations -----------------------------------------------------------------------------------------------

bool stream_core::attempt(operation& op) {
  if (op.ended_) return true;
  if (closed) {
    op.error_ = base::errc::cancelled;
    return true;
  }
  if (ssl != nullptr && !tls_ready && op.kind_ != operation::kind::handshake) {
    op.error_ = errc::tls_failed;  // never in the clear again once TLS was begun
    return true;
  }
  progress got = progress::ended;
  switch (op.kind_) {
    case operation::kind::readable:
      if (loop->stopping)
        op.error_ = errc::stopping;
      else if (!(tls_ready && (ahead != ahead_end || SSL_pending(ssl.get()) > 0)) && !op.waiter_)
        got = progress::wants_read;  // the second attempt comes when the socket is readable
      break;
    case operation::kind::read:
      got = tls_ready ? read_tls(op) : read_plain(op);
      break;
    case operation::kind::write:
      got = tls_ready ? write_tls(op) : write_plain(op);
      break;
    case operation::kind::handshake:
      // A server waits for its turn, even where the client has spoken already.
      got = SSL_is_server(ssl.get()) && !op.waiter_ ? progress::wants_read : handshake(op);
      break;
    case operation::kind::goodbye:
      got = goodbye(op);
      break;
  }
  op.waits_to_write_ = got == progress::wants_write;
  return got == progress::ended;
}

void stream_core::suspend(operation& op) {
  const bool writes = op.kind_ == operation::kind::write || op.kind_ == operation::kind::goodbye;
  (writes ? writer : reader) = &op;
  op.deadline_ = std::chrono::steady_clock::now() + duration;
  arm(op.deadline_);
  wait(op.waits_to_write_);
}

void stream_core::forget(operation& op) noexcept {
  if (reader == &op) reader = nullptr;
  if (writer == &op) writer = nullptr;
}

void stream_core::end(operation& op) {
  forget(op);
  op.ended_ = true;
  op.core_ = nullptr;
  op.waiter_.resume();  // the operation, and with it the stream, may be gone afterwards
}

// --- waiting --------------------------------------------------------------------------------------------------

void stream_core::wait(bool to_write) {
  bool& pending = to_write ? write_wait : read_wait;
  if (pending) return;
  pending = true;
  socket.async_wait(
      to_write ? loop_descriptor::wait_write : loop_descriptor::wait_read,
      [self = core_reference(this), to_write](const std::error_code& error) { self->on_ready(to_write, error); });
}

void stream_core::on_ready(bool to_write, const std::error_code& error) {
  loop->woken();
  (to_write ? write_wait : read_wait) = false;
  if (closed || error) return;  // close() answers whoever waits
  retry(reader, to_write);
  retry(writer, to_write);
}

void stream_core::retry(operation* const& slot, bool to_write) {
  operation* op = slot;
  if (op == nullptr) return;
  if (!op->ended_ && op->waits_to_write_ != to_write) return;
  if (!op->ended_ && op->kind_ == operation::kind::handshake) {
    return loop->line_up(standing, known_peer().address, [self = core_reference(this), &slot] { self->go_on(slot); });
  }
  go_on(slot);
}

void stream_core::go_on(operation* const& slot) {
  operation* op = slot;
  if (op == nullptr) return;
  const std::size_t before = op->done_;
  if (attempt(*op)) return end(*op);
  if (op->kind_ == operation::kind::write && op->done_ != before)
    op->deadline_ = std::chrono::steady_clock::now() + duration;  // the timer is moved when it fires
  wait(op->waits_to_write_);
}

void stream_core::arm(time_point until) {
  if (until >= armed_until) return;  // it fires earlier and is moved then
  armed_until = until;
  timer.expires_at(until);
  timer.async_wait([self = core_reference(this)](const std::error_code& error) { self->on_timer(error); });
}

void stream_core::on_timer(const std::error_code& error) {
  if (error || closed) return;
  armed_until = time_point::max();
  const time_point now = std::chrono::steady_clock::now();
  for (operation* const* slot : {&reader, &writer}) {
    operation* op = *slot;
    if (op == nullptr || op->ended_ || closed) continue;
    if (op->deadline_ > now) {
      arm(op->deadline_);
      continue;
    }
    op->error_ = base::errc::timed_out;
    end(*op);
  }
}

// --- ends -----------------------------------------------------------------------------------------------------

void stream_core::give_up(operation* op, std::error_code why) {
  if (op == nullptr || op->ended_) return;
  op->error_ = why;
  op->ended_ = true;
  // Posted, since whoever calls may be a chain itself. The slot may be empty or taken anew by then.
  thread->post([self = core_reference(this)] {
    if (self->reader != nullptr && self->reader->ended_) self->end(*self->reader);
    if (self->writer != nullptr && self->writer->ended_) self->end(*self->writer);
  });
}

void stream_core::cancel(bool reader_too, bool writer_too) noexcept {
  if (reader_too) give_up(reader, base::errc::cancelled);
  if (writer_too) give_up(writer, base::errc::cancelled);
}

void stream_core::on_stopping() {
  if (reader == nullptr) return;
  // In a handshake nothing has been said yet; a peer that does not finish it must not hold up the end.
  const auto kind = reader->kind_;
  if (kind == operation::kind::readable || kind == operation::kind::handshake) give_up(reader, errc::stopping);
}

void stream_core::close() noexcept {
  if (closed) return;
  closed = true;
  cancel(true, true);
  std::error_code ignored;
  socket.close(ignored);
  timer.cancel();
  fd = -1;
  permit.reset();
  ahead = ahead_end = nullptr;
  ahead_memory.reset();
  if (next != nullptr) next->previous = previous;
  (previous != nullptr ? previous->next : loop->first_stream) = next;
  next = previous = nullptr;
  loop->streams.fetch_sub(1, std::memory_order_relaxed);
}

// --- without TLS ----------------------------------------------------------------------------------------------

namespace {

bool would_block(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

stream_core::progress stream_core::read_plain(operation& op) {
  const ssize_t got = ::recv(fd, op.buffer_.data(), op.buffer_.size(), 0);
  if (got < 0) {
    if (would_block(errno)) return progress::wants_read;
    op.error_ = system_error(errno);
  } else if (got == 0 && !op.buffer_.empty()) {
    op.error_ = base::errc::end_of_stream;
  } else {
    op.done_ = static_cast<std::size_t>(got);
  }
  return progress::ended;
}

std::string_view next_chunk(std::span<const std::string_view> pieces, std::size_t& piece,
                            std::size_t& offset) noexcept {
  while (piece < pieces.size() && offset == pieces[piece].size()) {
    ++piece;
    offset = 0;
  }
  return piece < pieces.size() ? pieces[piece].substr(offset) : std::string_view();
}

void advance(std::span<const std::string_view> pieces, std::size_t& piece, std::size_t& offset,
             std::size_t n) noexcept {
  while (n > 0) {
    const std::size_t here = std::min(n, next_chunk(pieces, piece, offset).size());
    offset += here;
    n -= here;
  }
}

stream_core::progress stream_core::write_plain(operation& op) {
  for (;;) {
    const auto pieces = op.pieces_.empty() ? std::span<const std::string_view>(&op.single_, 1) : op.pieces_;
    if (next_chunk(pieces, op.piece_, op.offset_).empty()) return progress::ended;
    iovec parts[64];
    std::size_t count = 0;
    for (std::size_t i = op.piece_; i < pieces.size() && count < std::size(parts); ++i) {
      const std::string_view part = i == op.piece_ ? pieces[i].substr(op.offset_) : pieces[i];
      if (part.empty()) continue;
      parts[count++] = {const_cast<char*>(part.data()), part.size()};
    }
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (would_block(errno)) return progress::wants_write;
      op.error_ = system_error(errno);
      return progress::ended;
    }
    op.done_ += static_cast<std::size_t>(sent);
    advance(pieces, op.piece_, op.offset_, static_cast<std::size_t>(sent));
  }
}

result<std::size_t> stream_core::try_read(std::span<char> buffer) {
  if (closed) return fail(base::errc::cancelled);
  struct probe : operation {
    probe(stream_core* core, std::span<char> into) : operation(core, kind::read) { buffer_ = into; }
    result<std::size_t> outcome() const {
      if (error_) return fail(error_);
      return done_;
    }
  } op(this, buffer);
  attempt(op);
  return op.outcome();
}

}  // namespace briefwerk::net::detail

#include "briefwerk/net/blocking_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "net/socket_address.hpp"

namespace briefwerk::net {
namespace {

using clock = std::chrono::steady_clock;

std::error_code last_error() { return {errno, std::generic_category()}; }

// A Unix socket whose line of waiting connections is full says EAGAIN at once, and nothing tells when there is room.
constexpr auto line_pause = std::chrono::milliseconds(2);

}  // namespace

blocking_socket::blocking_socket(blocking_socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
blocking_socket& blocking_socket::operator=(blocking_socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
blocking_socket::~blocking_socket() {
  if (fd_ >= 0) ::close(fd_);
}

status blocking_socket::wait(short events, deadline until) const {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
    if (left <= 0) return fail(base::errc::timed_out);
    pollfd one{fd_, events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::min<long long>(left, 3'600'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail(last_error());
  }
}

result<blocking_socket> blocking_socket::connect(const std::string& unix_path, kind what, deadline until) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (unix_path.size() >= sizeof address.sun_path) return fail(std::error_code(ENAMETOOLONG, std::generic_category()));
  std::memcpy(address.sun_path, unix_path.data(), unix_path.size());
  const int type = what == kind::packets ? SOCK_SEQPACKET : SOCK_STREAM;
  blocking_socket made(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (made.fd_ < 0) return fail(last_error());
  while (::connect(made.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return fail(last_error());
    if (clock::now() + line_pause > until) return fail(base::errc::timed_out);
    std::this_thread::sleep_for(line_pause);
  }
  return made;
}

result<blocking_socket> blocking_socket::connect(const base::endpoint& peer, deadline until) {
  const socket_address address = to_socket_address(peer);
  blocking_socket made(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (made.fd_ < 0) return fail(last_error());
  if (::connect(made.fd_, address.get(), address.length) == 0) return made;
  if (errno != EINPROGRESS && errno != EINTR) return fail(last_error());
  if (const auto waited = made.wait(POLLOUT, until); !waited) return fail(waited.error());
  int failed = 0;
  socklen_t size = sizeof failed;
  if (::getsockopt(made.fd_, SOL_SOCKET, SO_ERROR, &failed, &size) != 0) return fail(last_error());
  if (failed != 0) return fail(std::error_code(failed, std::generic_category()));
  return made;
}

status blocking_socket::send(std::string_view octets, deadline until) {
  while (!octets.empty()) {
    const ssize_t sent = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      octets.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (auto waited = wait(POLLOUT, until); !waited) return waited;
    } else if (errno != EINTR) {
      return fail(last_error());
    }
  }
  return {};
}

status blocking_socket::send_with_file(std::string_view packet, int file, deadline until) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof file)] = {};
  iovec piece{const_cast<char*>(packet.data()), packet.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof file);
  std::memcpy(CMSG_DATA(head), &file, sizeof file);
  while (::sendmsg(fd_, &message, MSG_NOSIGNAL) < 0) {
    if (errno == EAGAIN) {
      if (auto waited = wait(POLLOUT, until); !waited) return waited;
    } else if (errno != EINTR) {
      return fail(last_error());
    }
  }
  return {};
}

result<std::size_t> blocking_socket::receive(std::span<char> into, deadline until) {
  for (;;) {
    const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return fail(base::errc::end_of_stream);
    if (errno == EAGAIN) {
      if (const auto waited = wait(POLLIN, until); !waited) return fail(waited.error());
    } else if (errno != EINTR) {
      return fail(last_error());
    }
  }
}

}  // namespace briefwerk::net

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "briefwerk/net/stream.hpp"
#include "net/socket_address.hpp"
#include "net/stream_core.hpp"

namespace briefwerk::net {
namespace {

bool is_unspecified(const base::ip_address& address) noexcept {
  return address.octets().find_first_not_of('\0') == std::string_view::npos;
}

// A connection on its way; given up when the loop is told to stop.
struct connecting final : stop_listener {
  connecting(io_thread::impl& loop, int fd) : socket(loop.context, fd), timer(loop.context) {}
  ~connecting() { socket.release(); }
  void on_stopping() override {
    std::error_code ignored;
    socket.cancel(ignored);
  }
  loop_descriptor socket;
  loop_timer timer;
  bool late = false;
};

base::task<status> wait_connected(io_thread& thread, int fd, std::chrono::milliseconds deadline) {
  io_thread::impl& loop = thread.internals();
  if (loop.stopping) co_return fail(base::errc::cancelled);
  connecting here(loop, fd);
  const auto place = loop.stop_listeners.insert(loop.stop_listeners.end(), &here);
  // Both handlers are shared owners of the mark that tells whether `here` still exists.
  auto alive = std::make_shared<connecting*>(&here);
  here.timer.expires_after(deadline);
  here.timer.async_wait([alive](const std::error_code& error) {
    if (error || *alive == nullptr) return;
    (*alive)->late = true;
    std::error_code ignored;
    (*alive)->socket.cancel(ignored);
  });
  const status ready = co_await base::wait_for<status>([&here](base::completion<status> done) {
    here.socket.async_wait(loop_descriptor::wait_write, [done = std::move(done)](const std::error_code& error) mutable {
      if (error)
        done.resume_here(fail(base::errc::cancelled));
      else
        done.resume_here(status());
    });
  });
  *alive = nullptr;
  loop.stop_listeners.erase(place);
  if (here.late) co_return fail(base::errc::timed_out);
  if (!ready) co_return ready;
  int failure = 0;
  socklen_t length = sizeof failure;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length);
  if (failure != 0) co_return fail(detail::system_error(failure));
  co_return status();
}

base::task<result<stream>> connect_socket(io_thread& thread, descriptor socket, socket_address to,
                                          std::chrono::milliseconds deadline) {
  if (::connect(socket.get(), to.get(), to.length) != 0) {
    if (errno != EINPROGRESS) co_return fail(detail::system_error(errno));
    const status connected = co_await wait_connected(thread, socket.get(), deadline);
    if (!connected) co_return fail(connected.error());
  }
  co_return stream(thread, socket.release());
}

}  // namespace

base::task<result<stream>> connect(io_thread& thread, base::endpoint destination, connect_options options) {
  const socket_address to = to_socket_address(destination);
  descriptor socket(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) co_return fail(detail::system_error(errno));
  const base::ip_address source = destination.address.is_v4() ? options.source_v4 : options.source_v6;
  if (!is_unspecified(source)) {
    // The port is chosen at connect(), so that many connections to different hosts may share it.
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    const socket_address from = to_socket_address({source, 0});
    if (::bind(socket.get(), from.get(), from.length) != 0) co_return fail(detail::system_error(errno));
  }
  result<stream> made = co_await connect_socket(thread, std::move(socket), to, options.deadline);
  co_return made;
}

base::task<result<stream>> connect_unix(io_thread& thread, std::string path) {
  sockaddr_un name{};
  if (path.size() >= sizeof name.sun_path) co_return fail(detail::system_error(ENAMETOOLONG));
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  socket_address to;
  std::memcpy(&to.storage, &name, sizeof name);
  to.length = sizeof name;
  descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) co_return fail(detail::system_error(errno));
  result<stream> made = co_await connect_socket(thread, std::move(socket), to, std::chrono::seconds(10));
  co_return made;
}

}  // namespace briefwerk::net

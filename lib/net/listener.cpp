#include "briefwerk/net/listener.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <shared_mutex>

#include "briefwerk/base/limits.hpp"
#include "net/event_loop.hpp"
#include "net/socket_address.hpp"

namespace briefwerk::net {
namespace {

explained_error cannot_listen(const std::string& where, int error) {
  const std::error_code code(error, std::generic_category());
  std::string text = "cannot listen on " + where + ": " + code.message();
  if (error == EACCES) text += " (ports below 1024 need privileges: root, or CAP_NET_BIND_SERVICE)";
  if (error == EADDRINUSE) text += " (another program listens there)";
  if (error == EADDRNOTAVAIL) text += " (no interface of this machine has the address)";
  return {code, std::move(text)};
}

constexpr int backoff_milliseconds = 100;
constexpr int accepts_in_a_row = 8;  // then other work of the thread gets its turn

// Errors after which accepting at once would only spin: descriptors or memory are short.
bool is_shortage(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// Open while the listener exists. Handlers run under a shared lock, so that the destructor, which closes it, waits for
// those that run, and none begins afterwards.
struct gate {
  std::shared_mutex mutex;
  bool open = true;
};

// One listening socket on its thread. Owned by itself: lives until it is closed and Asio has let go of it.
class acceptor final : public stop_listener, public std::enable_shared_from_this<acceptor> {
 public:
  acceptor(io_thread& thread, int fd, const listener_options& options, listener::accept_handler on_accept,
           std::shared_ptr<gate> through)
      : thread_(thread),
        loop_(thread.internals()),
        socket_(loop_.context, fd),
        timer_(loop_.context),
        options_(options),
        on_accept_(std::move(on_accept)),
        gate_(std::move(through)) {}

  io_thread& thread() const noexcept { return thread_; }

  // From here on, on the thread.
  void begin() {
    if (loop_.stopping) return close();
    place_ = loop_.stop_listeners.insert(loop_.stop_listeners.end(), this);
    registered_ = true;
    wait();
  }

  void on_stopping() override { close(); }

  void close() {
    if (closed_) return;
    closed_ = true;
    if (registered_) loop_.stop_listeners.erase(place_);
    std::error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
  }

 private:
  void wait() {
    socket_.async_wait(loop_descriptor::wait_read, [self = shared_from_this()](const std::error_code& error) {
      if (!error && !self->closed_) self->accept();
    });
  }

  void accept() {
    for (int i = 0; i < accepts_in_a_row; ++i) {
      sockaddr_storage storage{};
      socklen_t length = sizeof storage;
      const int fd = ::accept4(socket_.native_handle(), reinterpret_cast<sockaddr*>(&storage), &length,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) break;
        if (is_shortage(errno)) return back_off();
        continue;  // the connection's own error (accept(2)): ECONNABORTED, EPROTO, ENETDOWN and so on; the next may be
                   // well
      }
      take(descriptor(fd), storage);
      if (closed_) return;
    }
    wait();
  }

  void take(descriptor fd, const sockaddr_storage& from) {
    const base::endpoint peer = to_endpoint(from);
    const auto& proxies = options_.proxies.networks;
    const bool is_proxy = std::any_of(proxies.begin(), proxies.end(),
                                      [&](const base::ip_network& one) { return one.contains(peer.address); });
    if (!is_proxy) return admit(std::move(fd), peer);
    if (proxied_ >= base::limits::proxy_headers_pending) return;
    stream made(thread_, fd.release());
    made.set_peer(peer);
    base::spawn_here(thread_, take_proxied(shared_from_this(), std::move(made)));
  }

  void admit(descriptor fd, const base::endpoint& peer) {
    std::shared_lock passing(gate_->mutex);
    std::shared_ptr<detail::connection_permit> permit;
    if (!gate_->open || !may_come(fd.get(), peer, permit)) return;
    stream made(thread_, fd.release());
    made.set_peer(peer);
    begin_session(std::move(made), std::move(permit));
  }

  // False: the peer may not come in, and was told so.
  bool may_come(int fd, const base::endpoint& peer, std::shared_ptr<detail::connection_permit>& permit) const {
    std::optional<std::string> refused;
    if (options_.turn_away) refused = options_.turn_away(peer);
    if (!refused && options_.limits != nullptr) {
      permit = options_.limits->admit(peer.address);
      if (permit == nullptr) refused = options_.refusal;
    }
    if (!refused) return true;
    if (!refused->empty()) (void)::send(fd, refused->data(), refused->size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return false;
  }

  static base::task<void> take_proxied(std::shared_ptr<acceptor> self, stream made) {
    ++self->proxied_;
    const base::endpoint proxy = made.peer();
    const auto header = co_await read_header(made, self->options_.proxies.wait);
    --self->proxied_;
    self->admit_proxied(std::move(made), proxy, header);
  }

  void admit_proxied(stream made, const base::endpoint& proxy, const result<proxy_header>& header) {
    std::shared_lock passing(gate_->mutex);
    if (!gate_->open || closed_) return;
    if (header) {
      if (header->forwarded) made.set_peer(header->forwarded->source);
    } else if (options_.proxies.required || !may_lack_header(header.error())) {
      if (options_.proxy_failed) options_.proxy_failed(proxy, header.error());
      return;
    }
    std::shared_ptr<detail::connection_permit> permit;
    if (!may_come(made.native_handle(), made.peer(), permit)) return;
    begin_session(std::move(made), std::move(permit));
  }

  void begin_session(stream made, std::shared_ptr<detail::connection_permit> permit) {
    if (options_.standing_of) made.set_standing(options_.standing_of(made.peer()));
    made.attach(std::move(permit));
    on_accept_(std::move(made), thread_);
  }

  // Silence until the deadline is what a peer sends that waits for our greeting.
  static bool may_lack_header(std::error_code why) {
    return why == base::errc::not_found || why == base::errc::timed_out;
  }

  static base::task<result<proxy_header>> read_header(stream& from, std::chrono::milliseconds wait) {
    const auto found = co_await peek_header(from, wait);
    wake_at(from, 1);
    from.set_deadline(std::chrono::minutes(5));  // the default, see stream::set_deadline()
    if (found) {
      char taken[base::limits::proxy_header_v2];
      (void)::recv(from.native_handle(), taken, found->size, MSG_DONTWAIT);
    }
    co_return found;
  }

  // The header is looked at where it lies in the socket: what turns out to be none is the session's, untouched.
  static base::task<result<proxy_header>> peek_header(stream& from, std::chrono::milliseconds wait) {
    const auto until = std::chrono::steady_clock::now() + wait;
    for (std::size_t wanted = 1;;) {
      wake_at(from, static_cast<int>(wanted));
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0) co_return fail(base::errc::timed_out);
      from.set_deadline(left);
      const status ready = co_await from.readable();
      if (!ready) co_return fail(ready.error());
      const auto seen = peek(from.native_handle(), wanted);
      if (!seen) co_return fail(seen.error());
      if (*seen) co_return **seen;
    }
  }

  // Answers without a header where one may still come, when more than `wanted` octets are there; sets it so.
  static result<std::optional<proxy_header>> peek(int fd, std::size_t& wanted) {
    char octets[base::limits::proxy_header_v2];
    const ssize_t got = ::recv(fd, octets, sizeof octets, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (got < static_cast<ssize_t>(wanted)) return fail(base::errc::end_of_stream);  // and nothing more will come
    auto parsed = parse_proxy_header({octets, static_cast<std::size_t>(got)});
    wanted = static_cast<std::size_t>(got) + 1;
    return parsed;
  }

  // readable() ends when so many octets are there, or the peer has ended.
  static void wake_at(const stream& where, int octets) {
    ::setsockopt(where.native_handle(), SOL_SOCKET, SO_RCVLOWAT, &octets, sizeof octets);
  }

  void back_off() {
    timer_.expires_after(std::chrono::milliseconds(backoff_milliseconds));
    timer_.async_wait([self = shared_from_this()](const std::error_code& error) {
      if (!error && !self->closed_) self->wait();
    });
  }

  io_thread& thread_;
  io_thread::impl& loop_;
  loop_descriptor socket_;
  loop_timer timer_;
  const listener_options options_;
  std::size_t proxied_ = 0;  // connections whose header is to come
  listener::accept_handler on_accept_;
  std::shared_ptr<gate> gate_;
  std::list<stop_listener*>::iterator place_;
  bool registered_ = false;
  bool closed_ = false;
};

}  // namespace

struct listener::impl {
  listener_options options;
  struct address {
    base::endpoint at;
    std::string path;  // of a Unix socket that we made
    std::vector<descriptor> sockets;
  };
  std::vector<address> bound;
  std::vector<base::endpoint> endpoints;
  std::vector<std::string> paths;
  std::mutex mutex;
  std::vector<std::shared_ptr<acceptor>> acceptors;
  std::shared_ptr<gate> passage = std::make_shared<gate>();

  void start(std::span<io_thread* const> threads, const accept_handler& on_accept) {
    std::lock_guard lock(mutex);
    for (address& each : bound) {
      for (std::size_t i = 0; i < each.sockets.size(); ++i) {
        io_thread& thread = *threads[i % threads.size()];
        auto made = std::make_shared<acceptor>(thread, each.sockets[i].release(), options, on_accept, passage);
        acceptors.push_back(made);
        thread.post([made = std::move(made)] { made->begin(); });
      }
    }
    bound.clear();
  }

  void stop() {
    std::lock_guard lock(mutex);
    bound.clear();
    for (auto& each : acceptors) {
      io_thread& thread = each->thread();
      thread.post([acceptor = std::move(each)] { acceptor->close(); });
    }
    acceptors.clear();
    for (const std::string& path : paths) ::unlink(path.c_str());
    paths.clear();
  }
};

listener::listener(listener_options options) : impl_(std::make_shared<impl>()) { impl_->options = std::move(options); }

listener::~listener() {
  stop();
  std::lock_guard closing(impl_->passage->mutex);
  impl_->passage->open = false;
}

namespace {

explained<descriptor> bind_one(const base::endpoint& at, bool shared) {
  const socket_address name = to_socket_address(at);
  descriptor fd(::socket(name.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return std::unexpected(cannot_listen(at.to_string(), errno));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // connections in TIME_WAIT do not block a restart
  if (shared) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (name.family() == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd.get(), name.get(), name.length) != 0) return std::unexpected(cannot_listen(at.to_string(), errno));
  return fd;
}

}  // namespace

explained<void> listener::bind(base::endpoint address, unsigned sockets) {
  // First without sharing: SO_REUSEPORT alone would let two servers of one user split the connections between them.
  // The probe also chooses the port where 0 was asked for; it goes away before the first of the others is bound.
  {
    const explained<descriptor> probe = bind_one(address, false);
    if (!probe) return std::unexpected(probe.error());
    address.port = local_of(probe->get()).port;
  }
  impl::address made{address, {}, {}};
  for (unsigned i = 0; i < std::max(1u, sockets); ++i) {
    explained<descriptor> one = bind_one(address, true);
    if (!one) return std::unexpected(one.error());
    made.sockets.push_back(std::move(*one));
  }
  for (const descriptor& each : made.sockets)
    if (::listen(each.get(), impl_->options.backlog) != 0)
      return std::unexpected(cannot_listen(address.to_string(), errno));
  impl_->endpoints.push_back(address);
  impl_->bound.push_back(std::move(made));
  return {};
}

explained<void> listener::bind_unix(const std::string& path, unsigned mode) {
  sockaddr_un name{};
  if (path.size() >= sizeof name.sun_path) return std::unexpected(cannot_listen(path, ENAMETOOLONG));
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  const auto* generic = reinterpret_cast<const sockaddr*>(&name);
  descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return std::unexpected(cannot_listen(path, errno));
  if (::bind(fd.get(), generic, sizeof name) != 0) {
    if (errno != EADDRINUSE) return std::unexpected(cannot_listen(path, errno));
    // A file without a listener behind it is what a crash leaves.
    const descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(probe.get(), generic, sizeof name) == 0 || errno != ECONNREFUSED)
      return std::unexpected(cannot_listen(path, EADDRINUSE));
    ::unlink(path.c_str());
    if (::bind(fd.get(), generic, sizeof name) != 0) return std::unexpected(cannot_listen(path, errno));
  }
  if (::chmod(path.c_str(), mode) != 0 || ::listen(fd.get(), impl_->options.backlog) != 0)
    return std::unexpected(cannot_listen(path, errno));
  impl::address made{{}, path, {}};
  made.sockets.push_back(std::move(fd));
  impl_->bound.push_back(std::move(made));
  impl_->paths.push_back(path);
  return {};
}

explained<void> listener::adopt(int socket) {
  descriptor fd(socket);
  int type = 0;
  socklen_t length = sizeof type;
  if (::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &length) != 0)
    return std::unexpected(cannot_listen("descriptor " + std::to_string(socket), errno));
  if (type != SOCK_STREAM) return std::unexpected(cannot_listen("descriptor " + std::to_string(socket), EPROTOTYPE));
  if (::listen(socket, impl_->options.backlog) != 0)
    return std::unexpected(cannot_listen("descriptor " + std::to_string(socket), errno));
  impl::address made{local_of(socket), {}, {}};
  if (made.at.port != 0) impl_->endpoints.push_back(made.at);
  made.sockets.push_back(std::move(fd));
  impl_->bound.push_back(std::move(made));
  return {};
}

std::vector<base::endpoint> listener::endpoints() const { return impl_->endpoints; }

void listener::start(io_threads& threads, accept_handler on_accept) {
  std::vector<io_thread*> all;
  for (unsigned i = 0; i < threads.size(); ++i) all.push_back(&threads[i]);
  impl_->start(all, on_accept);
}

void listener::start(io_thread& thread, accept_handler on_accept) {
  io_thread* const one[] = {&thread};
  impl_->start(one, on_accept);
}

void listener::stop() { impl_->stop(); }

}  // namespace briefwerk::net

#pragma once

// Sockets that accept. bind() and start() are apart so that privileges can be dropped in between. Each io_thread has
// its own socket on the same port (SO_REUSEPORT), so accepted connections stay on the thread that took them.

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/net/error.hpp"
#include "briefwerk/net/io_threads.hpp"
#include "briefwerk/net/proxy_protocol.hpp"
#include "briefwerk/net/stream.hpp"

namespace briefwerk::net {

// Counts connections for one listener or several; thread-safe.
class connection_limits {
 public:
  // 0: no limit. An IPv6 peer counts by its /64, since it has as many addresses in there as it likes.
  connection_limits(std::size_t total, std::size_t per_address);
  ~connection_limits();

  // Null when a limit is reached; else the place is held until the answer is dropped.
  std::shared_ptr<detail::connection_permit> admit(const base::ip_address& peer);
  std::size_t count() const noexcept;
  std::size_t count(const base::ip_address& peer) const;

  struct impl;

 private:
  std::shared_ptr<impl> impl_;
};

struct listener_options {
  int backlog = 1024;
  std::shared_ptr<connection_limits> limits;  // null: none
  std::string refusal;                        // sent in the clear to whom the limits refuse: "421 4.7.0 ...\r\n"
  proxy_options proxies;                      // whose PROXY headers are believed; the address they tell counts above
  // Asked first for every connection, before anything is read or encrypted: a text turns the peer away, and is sent in
  // the clear unless it is empty. Called on any thread of the listener; must be quick. Null: all may come in.
  std::function<std::optional<std::string>(const base::endpoint& peer)> turn_away;
  // Asked of each connection that comes in, as turn_away is. Null: all are unknown.
  std::function<standing(const base::endpoint& peer)> standing_of;
  // A connection from one of `proxies` that ends for want of a header that can be believed; for the log.
  std::function<void(const base::endpoint& proxy, std::error_code why)> proxy_failed;
};

class listener {
 public:
  // Called on the thread that accepted, for each connection, so from several threads at once; usually starts a
  // session: base::spawn_here(thread, serve(std::move(s))).
  using accept_handler = std::function<void(stream, io_thread&)>;

  explicit listener(listener_options options = {});
  ~listener();  // stop(), and waits until no handler runs; not from inside a handler
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  // Binds `sockets` sockets (one for each thread that will serve) and listens. Port 0 takes a free one, see
  // endpoints(). An address in use is an error even where the other program allows port sharing. May be called for
  // several addresses. IPv6 means IPv6 only.
  explained<void> bind(base::endpoint address, unsigned sockets = 1);
  // A Unix socket; a stale file is replaced. `mode`: permissions.
  explained<void> bind_unix(const std::string& path, unsigned mode = 0600);
  // Takes over a socket that is bound already (socket activation); listens on it if it does not yet.
  explained<void> adopt(int socket);

  // What bind() reached, in its order, Unix sockets left out.
  std::vector<base::endpoint> endpoints() const;

  // Accepts from now on; the sockets of each address are dealt to the threads in turn.
  void start(io_threads& threads, accept_handler on_accept);
  void start(io_thread& thread, accept_handler on_accept);

  // From any thread: stops accepting and closes the sockets, soon. Connections are not touched.
  void stop();

 private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace briefwerk::net

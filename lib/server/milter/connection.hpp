#pragma once

// A connection to a milter: the stream, and what is said over it.

#include <chrono>
#include <memory>
#include <string>

#include "briefwerk/net/io_threads.hpp"
#include "briefwerk/net/stream.hpp"
#include "briefwerk/protocol/milter/client_session.hpp"
#include "briefwerk/server/milter_stage.hpp"

namespace briefwerk::server {

// Belongs to its io_thread.
class milter_connection {
 public:
  using deadline = std::chrono::steady_clock::time_point;

  // Connected and agreed.
  static base::task<base::result<std::unique_ptr<milter_connection>>> open(net::io_thread& thread, const milter_options& how,
                                                                           deadline until);
  ~milter_connection();  // says QUIT, where that needs no wait
  milter_connection(const milter_connection&) = delete;

  void set_deadline(deadline until) noexcept { until_ = until; }
  protocol::milter::client_session& session() noexcept { return session_; }
  // Where the session's events write. What is in it leaves with the next event that waits for an answer.
  std::string& out() noexcept { return out_; }

  // The answer to the event that was written last; proceed at once where it does not wait.
  base::task<base::result<protocol::milter::answer>> hear(bool waits);

 private:
  milter_connection(net::stream stream, protocol::milter::client_options options)
      : stream_(std::move(stream)), session_(options) {}
  base::task<base::status> send();
  base::task<base::status> receive();
  std::chrono::milliseconds left() const;

  net::stream stream_;
  protocol::milter::client_session session_;
  std::string out_;
  deadline until_{};
};

}  // namespace briefwerk::server

#pragma once

// The control socket: a Unix socket that only the server's user (and root) may use. Each line is a request, each
// answer a line. While a request is worked on, a space is sent every two seconds: a client tells work from a server that
// hangs, and finds the spaces before the answer, where JSON takes them.

#include <memory>
#include <string>

#include "apps/admin/admin.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/net/io_threads.hpp"
#include "briefwerk/net/listener.hpp"

namespace briefwerk::apps {

class control_server {
 public:
  // Listens on `path`; a stale file is replaced. References outlive the server.
  static net::explained<std::unique_ptr<control_server>> create(const std::string& path, admin& commands, base::log_sink& log);
  ~control_server();
  void start(net::io_thread& thread);
  void stop();

 private:
  control_server(std::string path, admin& commands, base::log_sink& log);
  base::task<void> serve(net::stream stream);

  std::string path_;
  admin& commands_;
  base::log_sink& log_;
  net::listener listener_;
};

}  // namespace briefwerk::apps

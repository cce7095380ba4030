#include "apps/admin/control_server.hpp"

#include <unistd.h>

#include <vector>

namespace briefwerk::apps {
namespace {

constexpr std::size_t longest_request = 64u << 20;  // an import of messages

}  // namespace

control_server::control_server(std::string path, admin& commands, base::log_sink& log)
    : path_(std::move(path)), commands_(commands), log_(log) {}

control_server::~control_server() { stop(); }

net::explained<std::unique_ptr<control_server>> control_server::create(const std::string& path, admin& commands,
                                                                       base::log_sink& log) {
  std::unique_ptr<control_server> made(new control_server(path, commands, log));
  if (auto bound = made->listener_.bind_unix(path, 0600); !bound) return std::unexpected(bound.error());
  return made;
}

void control_server::start(net::io_thread& thread) {
  listener_.start(thread, [this](net::stream stream, net::io_thread& here) {
    base::spawn_here(here, serve(std::move(stream)));
  });
}

void control_server::stop() {
  listener_.stop();
  ::unlink(path_.c_str());
}

base::task<void> control_server::serve(net::stream stream) {
  std::vector<char> buffer(65536);
  std::string pending;
  for (;;) {
    const auto got = co_await stream.read_some(buffer);
    if (!got) co_return;
    std::size_t searched = pending.size();
    pending.append(buffer.data(), *got);
    for (std::size_t end; (end = pending.find('\n', searched)) != std::string::npos; searched = 0) {
      std::string request = pending.substr(0, end);
      pending.erase(0, end + 1);
      std::string answer = co_await commands_.execute(std::move(request));
      answer += '\n';
      const auto sent = co_await stream.write(answer);
      if (!sent) co_return;
    }
    if (pending.size() > longest_request) {
      log_.log(base::log_level::warning, "control.request_too_long", {});
      co_return;
    }
  }
}

}  // namespace briefwerk::apps

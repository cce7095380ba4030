#include "apps/admin/control_server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <vector>

namespace briefwerk::apps {
namespace {

constexpr std::size_t longest_request = 64u << 20;  // an import of messages
constexpr std::chrono::seconds sign_of_life{2};

// The connection whose request is worked on; null between requests.
struct at_work {
  net::stream* on = nullptr;
  bool over = false;
};

// Nothing else is being written meanwhile. A client that takes nothing needs no sign.
base::task<void> show_life(std::shared_ptr<at_work> work) {
  for (;;) {
    const auto slept = co_await net::sleep_for(sign_of_life);
    if (!slept || work->over) co_return;
    if (work->on != nullptr && work->on->is_open()) (void)::send(work->on->native_handle(), " ", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

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
  const auto work = std::make_shared<at_work>();
  const std::unique_ptr<at_work, void (*)(at_work*)> ended(work.get(), [](at_work* of) { *of = {.on = nullptr, .over = true}; });
  base::spawn_here(stream.thread(), show_life(work));
  for (;;) {
    const auto ready = co_await stream.readable();  // between requests a stop of the server ends it
    if (!ready) co_return;
    const auto got = co_await stream.read_some(buffer);
    if (!got) co_return;
    std::size_t searched = pending.size();
    pending.append(buffer.data(), *got);
    for (std::size_t end; (end = pending.find('\n', searched)) != std::string::npos; searched = 0) {
      std::string request = pending.substr(0, end);
      pending.erase(0, end + 1);
      work->on = &stream;
      std::string answer = co_await commands_.execute(std::move(request));
      work->on = nullptr;
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

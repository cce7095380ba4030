// The queue runner against hosts that say nothing, something else than they should, or hang up.

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "delivery/support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using delivery::hop_tls;

namespace {

// A socket that listens on loopback, at a port that is free.
int listen_on(std::uint16_t& port) {
  const int made = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  REQUIRE(::bind(made, reinterpret_cast<const sockaddr*>(&at), size) == 0);
  REQUIRE(::listen(made, 64) == 0);
  REQUIRE(::getsockname(made, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  port = ntohs(at.sin_port);
  return made;
}

// Connections come about, and nobody ever says a word; or, as a talker, never ends it.
class silent_host {
 public:
  explicit silent_host(bool talks = false) : socket_(listen_on(port)) {
    if (talks) talker_ = std::thread([this] { talk(); });
  }
  ~silent_host() {
    ends_ = true;
    ::shutdown(socket_, SHUT_RDWR);
    if (talker_.joinable()) talker_.join();
    for (const int one : visitors_) ::close(one);
    ::close(socket_);
  }
  silent_host(const silent_host&) = delete;
  // Connections that came about until now. Not of a talker.
  std::size_t visitors() {
    for (pollfd waits{socket_, POLLIN, 0}; ::poll(&waits, 1, 0) == 1;) visitors_.push_back(::accept(socket_, nullptr, nullptr));
    return visitors_.size();
  }
  std::uint16_t port = 0;

 private:
  void talk() {
    const int connection = ::accept(socket_, nullptr, nullptr);
    while (!ends_ && ::send(connection, "2", 1, MSG_NOSIGNAL) == 1) std::this_thread::sleep_for(50ms);
    ::close(connection);
  }
  int socket_;
  std::vector<int> visitors_;
  std::atomic<bool> ends_{false};
  std::thread talker_;
};

// A server of few words; nothing but 250 where nothing else is due.
class scripted_host {
 public:
  // Says `taken` to the final dot; or `cut` in the middle of a message, and hangs up.
  explicit scripted_host(std::string taken, std::string cut = {})
      : socket_(listen_on(port)), taken_(std::move(taken)), cut_(std::move(cut)) {
    thread_ = std::thread([this] {
      for (int connection; (connection = ::accept(socket_, nullptr, nullptr)) >= 0; ::close(connection)) talk(connection);
    });
  }
  ~scripted_host() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  scripted_host(const scripted_host&) = delete;
  std::uint16_t port = 0;

 private:
  void talk(int connection) const {
    const auto say = [&](std::string_view text) { (void)!::send(connection, text.data(), text.size(), MSG_NOSIGNAL); };
    say("220 mx\r\n");
    std::string heard;
    bool in_data = false;
    char octets[4096];
    for (ssize_t got; (got = ::read(connection, octets, sizeof octets)) > 0;) {
      heard.append(octets, static_cast<std::size_t>(got));
      for (std::size_t end; (end = heard.find("\r\n")) != std::string::npos; heard.erase(0, end + 2)) {
        const std::string line = heard.substr(0, end);
        if (line == ".") say(taken_);
        else if (!in_data && line != "QUIT") say(line == "DATA" ? "354 go\r\n" : "250 ok\r\n");
        in_data = line != "." && (in_data || line == "DATA");
      }
      if (!in_data || cut_.empty() || heard.size() < 1000) continue;
      say(cut_);
      return;
    }
  }
  int socket_;
  std::string taken_, cut_;
  std::thread thread_;
};

}  // namespace

TEST_CASE("queue: 421 right behind the 250 of one message does not put off the next") {
  scripted_host brief("250 ok\r\n421 enough\r\n");
  sender_host host;
  host.options.routing.overrides.push_back({"brief.test", "mx.test", brief.port, hop_tls::none});
  host.options.keep_connection = 60s;
  host.start();
  host.put(host.item({"a@brief.test"}));
  REQUIRE(host.soon([&] { return host.empty(); }));
  host.put(host.item({"b@brief.test"}));
  REQUIRE(host.soon([&] { return host.empty() || host.queued()[0].attempts > 0; }));
  CHECK(host.empty());
}

TEST_CASE("queue: what a server says when it hangs up in the middle of a message is its answer") {
  struct row {
    const char *said, *status;  // null: it is tried again
  };
  const row rows[] = {{"552 5.3.4 Too big\r\n", "5.3.4"}, {"452 4.3.1 Full\r\n", nullptr}, {"250 2.0.0 Fine\r\n", nullptr}, {"552-5.3.4 Too", nullptr}};
  for (const row& one : rows) {
    CAPTURE(one.said);
    scripted_host rude("250 ok\r\n", one.said);
    sender_host host;
    host.options.routing.overrides.push_back({"rude.test", "mx.test", rude.port, hop_tls::none});
    host.start();
    host.put(host.item({"a@rude.test"}), "Subject: x\r\n\r\n" + std::string(30 << 20, 'x') + "\r\n");
    if (one.status == nullptr) {
      REQUIRE(host.attempted(1));
      CHECK(host.inbox().empty());
      continue;
    }
    REQUIRE(host.soon([&] { return host.empty(); }));
    REQUIRE(host.inbox().size() == 1);
    CHECK(dsn(host.inbox()[0]).status(1, "Status") == one.status);
  }
}

TEST_CASE("queue: a server that does not answer QUIT holds up no end") {
  scripted_host rude("250 ok\r\n");
  sender_host host;
  host.options.routing.overrides.push_back({"rude.test", "mx.test", rude.port, hop_tls::none});
  host.options.keep_connection = 60s;
  host.start();
  host.put(host.item({"a@rude.test"}));
  REQUIRE(host.soon([&] { return host.empty(); }));
  host.runner->stop();
  CHECK(host.soon([&] { return host.runner->is_idle(); }));
}

TEST_CASE("queue: a host that takes connections and says nothing holds one place from then on, not all of them") {
  sender_host host;
  silent_host peer;
  host.options.routing.overrides.push_back({"slow.test", "mx.test", peer.port, hop_tls::required});
  host.options.reply_deadline = 300ms;
  host.options.connections = 2;
  host.start();
  for (const char* who : {"a@slow.test", "b@slow.test", "c@slow.test", "d@slow.test"}) host.put(host.item({who}));
  const auto all_attempted = [&](std::uint32_t times) {
    return host.soon([&] { return std::ranges::all_of(host.queued(), [&](const auto& one) { return one.attempts >= times; }); });
  };
  REQUIRE(all_attempted(1));
  const std::size_t spared = host.log.count("did not answer a moment ago");
  CHECK(spared >= 2);  // those for whom there was no place when the first two began
  host.time.advance(301s);
  REQUIRE(all_attempted(2));
  CHECK(host.log.count("did not answer a moment ago") == spared + 3);
  CHECK(host.log.count("Connection lost") == 5 - spared);
}

TEST_CASE("queue: who takes longer than a minute holds no place") {
  sender_host host;
  silent_host slow;
  peer_host peer;
  peer.start();
  host.route("elsewhere.test", peer);
  host.options.routing.overrides.push_back({"slow.test", "mx.test", slow.port, hop_tls::required});
  host.options.connections = 1;
  host.start();
  host.put(host.item({"a@slow.test"}));
  REQUIRE(host.soon([&] { return slow.visitors() == 1; }));
  host.put(host.item({"b@elsewhere.test"}));
  std::this_thread::sleep_for(50ms);
  CHECK(peer.messages().empty());
  host.time.advance(61s);
  REQUIRE(host.soon([&] { return peer.messages().size() == 1; }));
  host.end(0ms);
  CHECK(host.queued().size() == 1);
}

TEST_CASE("queue: slow ones and others are ten times as many as there are places, and not one more") {
  sender_host host;
  silent_host slow;
  host.options.routing.overrides.push_back({"slow.test", "mx.test", slow.port, hop_tls::required});
  host.options.connections = 3;
  host.start();
  std::size_t all = 0;
  const auto come_due = [&](std::size_t more) {
    for (const std::size_t last = all + more; all < last; ++all) {
      auto item = host.item({std::to_string(all) + "@slow.test"});
      item.next_attempt += 61;
      host.put(item);
    }
    host.time.advance(61s);
    host.runner->wake();
  };
  come_due(2);
  REQUIRE(host.soon([&] { return slow.visitors() == 2; }));
  while (all < 32) {
    come_due(3);
    REQUIRE(host.soon([&] { return slow.visitors() >= std::min<std::size_t>(all, 30); }));
  }
  std::this_thread::sleep_for(50ms);
  CHECK(slow.visitors() == 30);
  host.end(0ms);
}

TEST_CASE("queue: a server whose reply never ends has as much time as one that says nothing") {
  sender_host host;
  silent_host slow(true);
  host.options.routing.overrides.push_back({"slow.test", "mx.test", slow.port, hop_tls::required});
  host.options.reply_deadline = 300ms;
  host.start();
  host.put(host.item({"a@slow.test"}));
  REQUIRE(host.attempted(1));
  CHECK(host.log.count("Connection lost") == 1);
}

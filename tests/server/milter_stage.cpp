// The milter stage in a server: with a milter on a thread of this program.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>

#include "briefwerk/server/milter_stage.hpp"
#include "server/smtp_support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using namespace std::string_literals;

namespace {

std::string packed(std::string_view content) {
  std::string made;
  for (int shift = 24; shift >= 0; shift -= 8) made += static_cast<char>(content.size() >> shift & 0xff);
  return made + std::string(content);
}

// Says "continue", unless told otherwise for a command. Serves one connection after the other.
class scripted_milter {
 public:
  scripted_milter() {
    path_ = folder_ / "milter";
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, 10) == 0);
    thread_ = std::jthread([this] { serve(); });
  }
  ~scripted_milter() {
    release();
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::shared_ptr<filter::stage> stage(std::chrono::milliseconds limit = 20s,
                                       filter::circuit_breaker_options hanging = {}) const {
    return server::make_milter_stage({.name = "milter",
                                      .address = {.path = path_},
                                      .hostname = "mx.test",
                                      .limit = limit,
                                      .message_limit = limit,
                                      .hanging = hanging});
  }
  void say(char to, std::string answer) {
    const std::lock_guard lock(mutex_);
    answers_[to] = std::move(answer);
  }
  // It does not answer this command before release().
  void hold(char command) {
    const std::lock_guard lock(mutex_);
    held_ = command;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    held_ = 0;
    freed_.notify_all();
  }
  std::string heard() {
    const std::lock_guard lock(mutex_);
    return heard_;
  }

 private:
  void serve() {
    for (;;) {
      const int peer = ::accept(listener_, nullptr, nullptr);
      if (peer < 0) return;
      while (answer(peer)) {}
      ::close(peer);
    }
  }
  static bool read(int from, char* into, std::size_t size) { return ::recv(from, into, size, MSG_WAITALL) == static_cast<ssize_t>(size); }
  bool answer(int peer) {
    unsigned char head[4];
    if (!read(peer, reinterpret_cast<char*>(head), 4)) return false;
    std::string content(static_cast<std::size_t>(head[0]) << 24 | static_cast<std::size_t>(head[1]) << 16 | static_cast<std::size_t>(head[2]) << 8 | head[3], '\0');
    if (!read(peer, content.data(), content.size())) return false;
    const std::string said = answer_to(content[0]);
    return ::send(peer, said.data(), said.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(said.size());
  }
  std::string answer_to(char command) {
    std::unique_lock lock(mutex_);
    if (command != 'D') heard_ += command;
    if (command == 'D' || command == 'A' || command == 'Q') return {};
    freed_.wait(lock, [&] { return held_ != command; });
    if (command == 'O') return packed("O\0\0\0\6\0\0\1\xff\0\0\0\0"s);
    const auto found = answers_.find(command);
    return found == answers_.end() ? packed("c") : found->second;
  }

  net::testing::temporary_folder folder_;
  std::string path_;
  int listener_ = -1;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::map<char, std::string> answers_;
  std::string heard_;
  char held_ = 0;
  std::jthread thread_;
};

void wait_until(const std::function<bool()>& done) {
  for (int i = 0; i < 2000 && !done(); ++i) std::this_thread::sleep_for(5ms);
}

}  // namespace

TEST_CASE("milter: a message is shown and changed") {
  scripted_milter milter;
  milter.say('E', packed("hX-Seen\0yes\0"s) + packed("bnew\r\n") + packed("a"));
  mail_host host;
  host.chain.add(milter.stage());
  const std::string alice = host.add("alice@example.org");
  host.start();
  client peer(host.mx_port());
  peer.begin();
  for (int i = 0; i < 2; ++i) CHECK(peer.send("a@elsewhere.test", "alice@example.org", stuffed(small_message)).starts_with("250"));
  const auto got = host.messages(alice);
  REQUIRE(got.size() == 2);
  CHECK(got[1].ends_with("Subject: x\r\nX-Seen: yes\r\n\r\nnew\r\n"));
  CHECK(peer.ask("QUIT").starts_with("221"));
  wait_until([&] { return milter.heard().ends_with("Q"); });
  CHECK(milter.heard() == "OCHHMRTLLNBEMRTLLNBEQ");
}

TEST_CASE("milter: what it said of a transaction holds for all of its recipients") {
  scripted_milter milter;
  mail_host host;
  host.chain.add(milter.stage(), {.domains = {"example.org"}});
  host.add("alice@example.org");
  host.start();
  for (const char refused : {'C', 'H', 'M'}) {
    milter.say(refused, packed("r"));
    client peer(host.mx_port());
    peer.begin();
    CHECK(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("250"));  // it is not asked before the first recipient
    CHECK(peer.ask("RCPT TO:<alice@example.org>").starts_with("550"));
    CHECK(peer.ask("RCPT TO:<alice@example.org>").starts_with("550"));
    milter.say(refused, packed("c"));
    peer.close();
  }
  client peer(host.mx_port());
  peer.begin();
  CHECK(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("250"));
  CHECK(peer.ask("RCPT TO:<alice@example.org>").starts_with("250"));
  CHECK(peer.ask("RSET").starts_with("250"));
  milter.say('M', packed("d"));
  CHECK(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("250"));
  CHECK_MESSAGE(peer.ask("RCPT TO:<alice@example.org>").starts_with("250"), "another transaction, although no MAIL was told before");
  CHECK(peer.data(stuffed(small_message)).starts_with("250"));
  CHECK(milter.heard().ends_with("MRAM"));
}

TEST_CASE("milter: one that is late is not spoken to before it has answered") {
  scripted_milter milter;
  mail_host host;
  host.chain.add(milter.stage(), {.on_failure = filter::failure_mode::open, .limit = 50ms});
  const std::string alice = host.add("alice@example.org");
  host.start();
  client peer(host.mx_port());
  peer.begin();
  milter.hold('E');
  CHECK(peer.send("a@elsewhere.test", "alice@example.org", stuffed(small_message)).starts_with("250"));
  CHECK(peer.send("b@elsewhere.test", "alice@example.org", stuffed(small_message)).starts_with("250"));
  const std::string before = milter.heard();
  CHECK(before.ends_with("E"));
  milter.release();
  wait_until([&] {
    CHECK(peer.ask("MAIL FROM:<c@elsewhere.test>").starts_with("250"));
    CHECK(peer.ask("RSET").starts_with("250"));
    return milter.heard() != before;
  });
  CHECK(milter.heard().starts_with(before + "M"));
  CHECK(host.messages(alice).size() == 2);
}

TEST_CASE("milter: a session ends while the milter is silent") {
  scripted_milter milter;
  {
    mail_host host;
    host.chain.add(milter.stage(), {.on_failure = filter::failure_mode::open, .limit = 50ms});
    host.add("alice@example.org");
    host.start();
    client peer(host.mx_port());
    peer.begin();
    milter.hold('R');
    CHECK(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("250"));
    CHECK(peer.ask("RCPT TO:<alice@example.org>").starts_with("250"));
    peer.close();
    host.threads.stop(0ms);
  }
  milter.release();
}

TEST_CASE("milter: one that hangs is left alone for a while") {
  scripted_milter milter;
  base::manual_clock time{base::wall_time(1h)};
  base::metrics metrics;
  const auto& hangs = metrics.get_counter("filter.milter.hangs");
  const auto& skipped = metrics.get_counter("filter.milter.skipped");
  mail_host host;
  host.chain.add(milter.stage(100ms, {.time = &time, .metrics = &metrics}), {.on_failure = filter::failure_mode::open});
  const std::string alice = host.add("alice@example.org");
  host.start();
  client peer(host.mx_port());
  peer.begin();
  const auto send = [&] {
    return peer.send("a@elsewhere.test", "alice@example.org", stuffed(small_message)).starts_with("250");
  };
  milter.hold('E');
  // Time-outs at MAIL: the connections wait behind the first message.
  for (int i = 0; i < 100 && hangs.value() == 0; ++i) CHECK(send());
  REQUIRE(hangs.value() == 1);
  CHECK(skipped.value() == 0);
  for (int i = 1; i <= 3; ++i) {
    CHECK(send());
    CHECK(skipped.value() == i);
  }
  time.advance(30s);
  CHECK(send());
  CHECK_MESSAGE(hangs.value() == 2, "one asks, in vain");
  CHECK(send());
  CHECK(skipped.value() == 4);

  milter.release();
  milter.say('E', packed("hX-Seen\0yes\0"s) + packed("a"));
  wait_until([&] {
    time.advance(30s);
    return send() && host.messages(alice).back().contains("X-Seen");
  });
  CHECK(host.messages(alice).back().contains("X-Seen"));
}

TEST_CASE("milter: one that hangs at the message only, whatever it said before") {
  scripted_milter milter;
  base::manual_clock time{base::wall_time(1h)};
  base::metrics metrics;
  const auto& skipped = metrics.get_counter("filter.milter.skipped");
  mail_host host;
  host.chain.add(milter.stage(3s, {.time_outs = 1, .time = &time, .metrics = &metrics}));
  host.add("alice@example.org");
  host.start();
  client peer(host.mx_port());
  peer.begin();
  milter.hold('E');
  const auto send = [&] { return peer.send("a@elsewhere.test", "alice@example.org", stuffed(small_message)); };
  CHECK(send().starts_with("451"));
  milter.release();
  CHECK(send().starts_with("451"));
  CHECK(skipped.value() == 1);
  CHECK_MESSAGE(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("250"), "MAIL is told to it, and answered");
  CHECK(peer.ask("RSET").starts_with("250"));
  time.advance(30s);
  CHECK(send().starts_with("250"));
}

// The driver: encryption, deadlines, clients that misbehave, the end of the server.

#include <sys/socket.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "server/smtp_support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using server::reply;
namespace replies = protocol::smtp::replies;

namespace {

// Takes everything for example.org; what it does with a message is the test's.
class scripted_handler final : public server::smtp_handler {
 public:
  base::task<reply> connect(server::session_facts&) override {
    if (throw_at == "connect") throw std::runtime_error("secret");
    co_return connect_reply.get();
  }
  base::task<reply> hello(server::session_facts& session) override {
    if (throw_at == session.hello) throw 7;
    if (session.hello == "bad.test") co_return reply{550, {5, 7, 1}, "Go away"};
    co_return replies::ok;
  }
  base::task<reply> rcpt(server::session_facts&, const server::smtp_envelope&, const server::envelope_recipient& to) override {
    if (throw_at == to.address.local) throw std::runtime_error("secret");
    co_return to.address.domain == "example.org" ? replies::recipient_ok : replies::relay_denied;
  }
  base::task<reply> message(server::session_facts& session, const server::smtp_envelope& envelope,
                            server::message_buffer& message) override {
    if (throw_at == "message") throw std::runtime_error("secret");
    if (take_buffer) {
      const server::message_buffer mine(std::move(message));
      last_size = mine.size();
    } else {
      last_size = message.size();
      last = std::string(message.view().substr(0, 100000));
    }
    said_hello = session.hello;
    account = session.account;
    recipients = envelope.recipients.size();
    ++messages;
    co_return replies::queued;
  }
  void reset(server::session_facts&) noexcept override { ++resets; }
  void quit(server::session_facts&) noexcept override { ++quits; }

  guarded<reply> connect_reply{replies::ok};
  guarded<std::string> throw_at, last, said_hello, account;
  bool take_buffer = false;
  std::atomic<std::size_t> last_size{0}, recipients{0};
  std::atomic<int> messages{0}, resets{0}, quits{0};
};

struct plain_host {
  plain_host() {
    service.handler = &handler;
    service.crypto = &the_crypto();
    service.tls = certificates::get().server;
    service.log = &log;
    service.metrics = &figures;
    service.protocol.hostname = "mx.test";
    service.buffer.in_memory = 64 * 1024;
  }
  void start() {
    server = std::make_unique<server::smtp_server>(service);
    REQUIRE(server->listen(loopback()).has_value());
    server->start(threads);
    threads.start();
  }
  ~plain_host() { threads.stop(0ms); }
  base::endpoint port() const { return server->endpoints().front(); }
  // The end of a session reaches the handler a little after the client sees it.
  template <class Condition>
  bool soon(Condition holds) {
    for (int i = 0; i < 500 && !holds(); ++i) std::this_thread::sleep_for(10ms);
    return holds();
  }

  memory_log log;
  base::metrics figures;
  scripted_handler handler;
  server::smtp_service service;
  net::io_threads threads{1};  // outlives the listeners
  std::unique_ptr<server::smtp_server> server;
};

}  // namespace

TEST_CASE("smtp session: mail and logins before TLS are refused, and nothing said before it counts after it") {
  plain_host host;
  host.start();
  client peer(host.port());
  CHECK(peer.read() == "220 mx.test ESMTP Briefwerk\r\n");
  CHECK(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("5"));
  const std::string offered = peer.ask("EHLO before.test");
  CHECK(contains(offered, "STARTTLS"));
  CHECK_FALSE(contains(offered, "AUTH"));
  CHECK(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("530 5.7.0"));
  CHECK(peer.ask("AUTH PLAIN AGEAYg==").starts_with("5"));
  CHECK(peer.ask("STARTTLS").starts_with("220"));
  REQUIRE(peer.tls());
  CHECK(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("503"));
  const std::string inside = peer.ask("EHLO inside.test");
  CHECK_FALSE(contains(inside, "STARTTLS"));
  CHECK(peer.ask("STARTTLS").starts_with("503"));
  CHECK(peer.send("a@elsewhere.test", "b@example.org", "x\r\n").starts_with("250"));
  CHECK(host.handler.said_hello == "inside.test");
  CHECK(peer.ask("QUIT").starts_with("221"));
  CHECK(peer.read().empty());
  CHECK(host.soon([&] { return host.handler.quits == 1; }));
}

TEST_CASE("smtp session: what was pipelined behind STARTTLS in the clear is not executed (CVE-2011-0411)") {
  plain_host host;
  host.start();
  client peer(host.port());
  peer.read();
  peer.ask("EHLO a.test");
  peer.write("STARTTLS\r\nEHLO injected.test\r\nMAIL FROM:<evil@elsewhere.test>\r\nRCPT TO:<b@example.org>\r\n");
  CHECK(peer.read().starts_with("220"));
  REQUIRE(peer.tls());
  CHECK(peer.ask("NOOP").starts_with("250"));
  CHECK(peer.ask("RCPT TO:<c@example.org>").starts_with("503"));
  CHECK(peer.ask("EHLO good.test").starts_with("250"));
  CHECK(peer.ask("RCPT TO:<c@example.org>").starts_with("503"));
  CHECK(host.handler.messages == 0);
}

TEST_CASE("smtp session: implicit TLS") {
  plain_host host;
  host.service.implicit_tls = true;
  host.start();
  client peer(host.port(), true);
  peer.begin();
  CHECK(peer.send("a@elsewhere.test", "b@example.org", "x\r\n").starts_with("250"));
  client clear(host.port());
  clear.write("EHLO a.test\r\n");
  CHECK(clear.read().find("250") == std::string::npos);
  CHECK(host.soon([&] { return host.log.count("smtp.tls.failed") == 1; }));
}

TEST_CASE("smtp session: BDAT, SMTPUTF8, null sender, a dot on a line") {
  plain_host host;
  host.start();
  client peer(host.port());
  peer.begin();
  CHECK(peer.ask("MAIL FROM:<> BODY=8BITMIME").starts_with("250"));
  CHECK(peer.ask("RCPT TO:<b@example.org>").starts_with("250"));
  peer.write("BDAT 7\r\nab\r\n.\r\n");
  CHECK(peer.read().starts_with("250"));
  peer.write("BDAT 3 LAST\r\nc\r\n");
  CHECK(peer.read().starts_with("250"));
  CHECK(host.handler.last == "ab\r\n.\r\nc\r\n");

  CHECK(peer.ask("MAIL FROM:<j\xc3\xb6rg@elsewhere.test>").starts_with("5"));
  CHECK(peer.ask("MAIL FROM:<j\xc3\xb6rg@elsewhere.test> SMTPUTF8").starts_with("250"));
  CHECK(peer.ask("RCPT TO:<\xe4\xb8\xad@example.org>").starts_with("250"));
  CHECK(peer.data("..x\r\n").starts_with("250"));
  CHECK(host.handler.last == ".x\r\n");

  CHECK(peer.send("", "b@example.org", "y\r\n").starts_with("250"));
  CHECK(host.handler.last == "y\r\n");
  CHECK(host.handler.resets == 0);
}

TEST_CASE("smtp session: 60 MB against a limit of 50: 552, bounded memory, and the session goes on") {
  plain_host host;
  host.start();
  client peer(host.port());
  peer.begin();
  CHECK(peer.ask("MAIL FROM:<a@elsewhere.test> SIZE=60000000").starts_with("552 5.3.4"));
  CHECK(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("250"));
  CHECK(peer.ask("RCPT TO:<b@example.org>").starts_with("250"));
  CHECK(peer.ask("DATA").starts_with("354"));
  std::string block;
  while (block.size() < 1000000) block += std::string(76, 'x') + "\r\n";
  for (std::size_t sent = 0; sent < 60000000; sent += block.size()) REQUIRE(peer.write(block));
  CHECK(peer.ask(".").starts_with("552 5.3.4"));
  CHECK(host.handler.messages == 0);
  CHECK(host.handler.resets == 1);
  CHECK(host.log.count("smtp.message.refused") == 1);
  CHECK(peer.send("a@elsewhere.test", "b@example.org", "x\r\n").starts_with("250"));
  // Below the limit, through the file.
  std::string large;
  while (large.size() < 5000000) large += block;
  CHECK(peer.send("a@elsewhere.test", "b@example.org", large).starts_with("250"));
  CHECK(host.handler.last_size == large.size());
}

TEST_CASE("smtp session: messages that it refuses itself are logged and counted") {
  plain_host host;
  host.service.protocol.message_size = 100000;
  host.service.buffer.in_memory = 1000;
  host.service.buffer.directory = "/nonexistent";
  host.start();
  client peer(host.port());
  peer.begin();
  const auto send = [&](std::string_view sender, std::string_view text) {
    return peer.send(sender, "b@example.org", text);
  };
  CHECK(send("large@elsewhere.test", std::string(1000, 'x') + "\r\n" + std::string(100000, 'x') + "\r\n").starts_with("452"));
  CHECK(send("bare@elsewhere.test", "x\ny\r\n").starts_with("5"));
  peer.ask("MAIL FROM:<chunk@elsewhere.test>");
  peer.ask("RCPT TO:<b@example.org>");
  peer.write("BDAT 3 LAST\r\na\nb");
  CHECK(peer.read().starts_with("5"));
  peer.ask("MAIL FROM:<gave-up@elsewhere.test>");
  peer.ask("RCPT TO:<b@example.org>");
  peer.ask("RSET");
  CHECK(host.log.count("smtp.message.refused") == 3);
  CHECK(host.log.count("from=large@elsewhere.test to=b@example.org recipients=1 reply=452 4.3.1 ") == 1);
  CHECK(host.log.count("from=bare@elsewhere.test") == 1);
  CHECK(host.log.count("from=chunk@elsewhere.test") == 1);
  CHECK(host.figures.get_counter("smtp.messages.refused").value() == 3);
}

TEST_CASE("smtp session: a handler that keeps the buffer does not break the next message") {
  plain_host host;
  host.handler.take_buffer = true;
  host.start();
  client peer(host.port());
  peer.begin();
  const std::string line = std::string(76, 'x') + "\r\n";
  std::string large;
  while (large.size() < 500000) large += line;
  for (int i = 0; i < 3; ++i) {
    CHECK(peer.send("a@elsewhere.test", "b@example.org", large).starts_with("250"));
    CHECK(host.handler.last_size == large.size());
  }
}

TEST_CASE("smtp session: 10,000 recipients: the first thousand are taken, each other gets 452") {
  plain_host host;
  host.start();
  client peer(host.port());
  peer.begin();
  CHECK(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("250"));
  std::size_t taken = 0, refused = 0;
  for (int batch = 0; batch < 100; ++batch) {
    std::string commands;
    for (int i = 0; i < 100; ++i) commands += "RCPT TO:<user" + std::to_string(batch * 100 + i) + "@example.org>\r\n";
    REQUIRE(peer.write(commands));
    for (int i = 0; i < 100; ++i) {
      const std::string said = peer.read();
      taken += said.starts_with("250");
      refused += said.starts_with("452 4.5.3");
    }
  }
  CHECK(taken == base::limits::smtp_recipients);
  CHECK(refused == 10000 - taken);
  CHECK(peer.data("x\r\n").starts_with("250"));
  CHECK(host.handler.recipients == taken);
}

TEST_CASE("smtp session: a client that waits too long gets 421, also in the middle of a line or a message") {
  plain_host host;
  host.service.command_deadline = 1s;
  host.service.data_deadline = 300ms;
  host.start();
  SUBCASE("silent from the start") {
    client peer(host.port());
    peer.read();
    CHECK(peer.read().starts_with("421 4.4.2"));
    CHECK(peer.read().empty());
  }
  SUBCASE("half a command, drop by drop") {
    client peer(host.port());
    peer.begin();
    bool open = true;
    for (int i = 0; i < 400 && open; ++i) {
      open = peer.write("N");
      std::this_thread::sleep_for(50ms);
      if (host.log.count("timed_out") != 0) break;
    }
    CHECK(peer.read().starts_with("421 4.4.2"));
    CHECK(host.log.count("timed_out") == 1);
  }
  SUBCASE("in DATA") {
    client peer(host.port());
    peer.begin();
    peer.ask("MAIL FROM:<a@elsewhere.test>");
    peer.ask("RCPT TO:<b@example.org>");
    CHECK(peer.ask("DATA").starts_with("354"));
    peer.write("half\r\n");
    CHECK(peer.read().starts_with("421 4.4.2"));
    CHECK(host.soon([&] { return host.handler.quits == 1; }));
    CHECK(host.handler.resets == 1);
  }
  CHECK(host.handler.messages == 0);
}

TEST_CASE("smtp session: a message that comes too slowly ends, though each octet comes in time") {
  plain_host host;
  host.service.message_deadline = 500ms;
  host.start();
  client peer(host.port());
  peer.begin();
  peer.ask("MAIL FROM:<a@elsewhere.test>");
  peer.ask("RCPT TO:<b@example.org>");
  CHECK(peer.ask("DATA").starts_with("354"));
  for (int i = 0; i < 100 && host.log.count("timed_out") == 0; ++i) {
    peer.write("x");
    std::this_thread::sleep_for(30ms);
  }
  CHECK(peer.read().starts_with("421 4.4.2"));
  CHECK(host.handler.messages == 0);
}

TEST_CASE("smtp session: a client that vanishes leaves nothing behind") {
  plain_host host;
  host.start();
  struct row {
    const char* why;
    std::vector<std::string_view> says;
    int resets;
  };
  const row rows[] = {
      {"after connecting", {}, 0},
      {"in a transaction", {"MAIL FROM:<a@elsewhere.test>"}, 1},
      {"null sender", {"MAIL FROM:<>"}, 1},
      {"in DATA", {"MAIL FROM:<a@elsewhere.test>", "RCPT TO:<b@example.org>", "DATA", "text"}, 1},
      {"before the last line end", {"MAIL FROM:<a@elsewhere.test>", "RCPT TO:<b@example.org>", "DATA", "text\r\n."}, 1},
      {"in BDAT", {"MAIL FROM:<a@elsewhere.test>", "RCPT TO:<b@example.org>", "BDAT 100 LAST", "x"}, 1},
      {"after a refused sender", {"MAIL FROM:<a@@b>"}, 0},
  };
  int quits = 0;
  for (const row& one : rows) {
    for (const bool hard : {false, true}) {
      CAPTURE(one.why);
      CAPTURE(hard);
      host.handler.resets = 0;
      {
        client peer(host.port());
        peer.begin();
        for (const auto line : one.says) {
          const bool last = line == one.says.back() && one.says.size() > 3;
          if (last || line.starts_with("BDAT")) peer.write(std::string(line) + (last ? "" : "\r\n"));
          else peer.ask(line);
        }
        if (hard) {
          const struct ::linger now {1, 0};
          ::setsockopt(peer.stream().native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
      }
      ++quits;
      CHECK(host.soon([&] { return host.handler.quits == quits; }));
      CHECK(host.handler.resets == one.resets);
    }
  }
  CHECK(host.handler.messages == 0);
}

TEST_CASE("smtp session: a handler that throws is answered for with 451, and its text stays out of the log") {
  plain_host host;
  host.start();
  client peer(host.port());
  peer.begin();
  host.handler.throw_at = "b";
  CHECK(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("250"));
  CHECK(peer.ask("RCPT TO:<b@example.org>").starts_with("451 4.3.0"));
  host.handler.throw_at = "message";
  CHECK(peer.ask("RCPT TO:<b@example.org>").starts_with("250"));
  CHECK(peer.data("x\r\n").starts_with("451 4.3.0"));
  host.handler.throw_at = "odd.test";
  CHECK(peer.ask("EHLO odd.test").starts_with("451"));
  host.handler.throw_at = "";
  CHECK(peer.send("a@elsewhere.test", "b@example.org", "x\r\n").starts_with("250"));
  CHECK(host.handler.said_hello == "client.test");  // a refused EHLO changes nothing
  host.handler.throw_at = "connect";
  client other(host.port());
  CHECK(other.read().starts_with("451"));
  CHECK(host.log.count("handler_failed") == 4);
  CHECK_FALSE(contains(host.log.all(), "secret"));
}

TEST_CASE("smtp session: a handler that refuses the connection or the greeting") {
  plain_host host;
  host.start();
  {
    client peer(host.port());
    peer.begin();
    CHECK(peer.ask("EHLO bad.test").starts_with("550"));
  }
  host.handler.connect_reply = reply{554, {5, 7, 1}, "No service"};
  {
    client peer(host.port());
    CHECK(peer.read().starts_with("554"));
    CHECK(peer.ask("EHLO a.test").starts_with("503"));
    CHECK(peer.ask("QUIT").starts_with("221"));
  }
  host.handler.connect_reply = reply{421, {4, 7, 0}, "Later"};
  client peer(host.port());
  CHECK(peer.read().starts_with("421"));
  CHECK(peer.read().empty());
}

TEST_CASE("smtp session: graceful stop: idle clients hear 421, an open transaction ends") {
  plain_host host;
  host.start();
  client fresh(host.port()), idle(host.port()), busy(host.port()), half(host.port());
  fresh.read();
  for (client* one : {&idle, &busy, &half}) one->begin();
  busy.ask("MAIL FROM:<a@elsewhere.test>");
  busy.ask("RCPT TO:<b@example.org>");
  CHECK(busy.ask("DATA").starts_with("354"));
  busy.write("first\r\n");
  CHECK(half.ask("MAIL FROM:<a@elsewhere.test>").starts_with("250"));
  std::thread stopper([&] { host.threads.stop(20s); });
  CHECK(idle.read().starts_with("421 4.3.2"));
  CHECK(fresh.read().starts_with("421 4.3.2"));
  busy.write("second\r\n");
  CHECK(busy.ask(".").starts_with("250"));
  CHECK(host.handler.last == "first\r\nsecond\r\n");
  CHECK(busy.read().starts_with("421 4.3.2"));
  CHECK(half.ask("RCPT TO:<b@example.org>").starts_with("250"));
  CHECK(half.data("x\r\n").starts_with("250"));
  CHECK(half.read().starts_with("421 4.3.2"));
  for (client* one : {&fresh, &idle, &busy, &half}) one->close();
  stopper.join();
  CHECK(host.handler.quits == 4);
  CHECK(host.handler.messages == 2);
}

TEST_CASE("smtp session: the counters") {
  plain_host host;
  host.start();
  client peer(host.port());
  peer.begin();
  peer.ask("MAIL FROM:<a@elsewhere.test>");
  peer.ask("RCPT TO:<b@elsewhere.test>");
  peer.ask("RCPT TO:<b@example.org>");
  peer.data("x\r\n");
  CHECK(host.figures.get_counter("smtp.connections").value() == 1);
  CHECK(host.figures.get_counter("smtp.recipients.refused").value() == 1);
  CHECK(host.figures.get_counter("smtp.messages.accepted").value() == 1);
  CHECK(host.log.count("smtp.message.accepted") == 1);
}

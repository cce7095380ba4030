// The queue runner against real servers on loopback: success, retries, failures, reports, connections.

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "briefwerk/base/limits.hpp"
#include "delivery/queue_work.hpp"
#include "delivery/support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using delivery::hop_tls;

TEST_CASE("queue: a message that was taken leaves the queue; Return-Path does not go over the wire") {
  sender_host host;
  peer_host peer;
  peer.start();
  host.route("elsewhere.test", peer);
  host.start();
  host.put(host.item({"bob@elsewhere.test"}));
  REQUIRE(host.soon([&] { return peer.messages().size() == 1 && host.empty(); }));
  const auto got = peer.messages().front();
  CHECK(got.octets == sent_message);
  CHECK(got.tls == "TLSv1.3");
  REQUIRE(got.envelope.sender.has_value());
  CHECK(mail::format_mailbox(*got.envelope.sender) == "alice@example.org");
  CHECK(host.inbox().empty());
  CHECK(host.figures.get_counter("queue.delivered").value() == 1);
  CHECK(host.log.count("delivery.sent") == 1);
  CHECK_FALSE(contains(host.log.all(), "to be reported"));
}

TEST_CASE("queue: several recipients of a domain in one transaction, each with its own outcome; two domains") {
  sender_host host;
  peer_host peer, other;
  peer.start();
  other.start();
  host.route("elsewhere.test", peer);
  host.route("other.test", other);
  peer.answer("busy", {450, {4, 2, 0}, "Busy"});
  peer.answer("gone", {550, {5, 1, 1}, "No such user here"});
  host.start();
  host.put(host.item({"a@elsewhere.test", "busy@elsewhere.test", "gone@ELSEWHERE.test", "b@Elsewhere.Test", "c@other.test"}));
  REQUIRE(host.attempted(1));
  REQUIRE(peer.messages().size() == 1);
  CHECK(peer.messages().front().envelope.recipients.size() == 2);
  CHECK(other.messages().size() == 1);
  auto left = host.queued();
  REQUIRE(left.size() == 1);
  REQUIRE(left[0].recipients.size() == 1);
  CHECK(left[0].recipients[0].address == "busy@elsewhere.test");
  CHECK(left[0].recipients[0].last_reply == "450 4.2.0 Busy");
  CHECK(left[0].recipients[0].last_host == "mx.test");
  CHECK(left[0].next_attempt == host.seconds() + 300);
  REQUIRE(host.inbox().size() == 1);
  const dsn told(host.inbox().front());
  CHECK(told.groups.size() == 2);
  CHECK(told.status(1, "Final-Recipient") == "rfc822; gone@ELSEWHERE.test");

  peer.answer("busy", server::replies::recipient_ok);
  host.later(301s);
  REQUIRE(host.soon([&] { return host.empty(); }));
  REQUIRE(peer.messages().size() == 2);
  CHECK(peer.messages().back().envelope.recipients.size() == 1);
  CHECK(other.messages().size() == 1);
  CHECK(host.inbox().size() == 1);
}

TEST_CASE("queue: waits double up to their bound") {
  delivery::queue_runner_options options;
  options.retry_first = 300s;
  options.retry_most = 3600s;
  const std::chrono::seconds wanted[] = {300s, 600s, 1200s, 2400s, 3600s, 3600s};
  for (std::uint32_t i = 0; i < 6; ++i) CHECK(retry_wait(options, i + 1) == wanted[i]);
  CHECK(retry_wait(options, 4000000000u) == 3600s);
}

TEST_CASE("queue: one delay report, then a report of failure when the time is over") {
  sender_host host;
  peer_host peer;
  peer.message_answer = smtp::reply{451, {4, 3, 2}, "Not now"};
  peer.start();
  host.route("elsewhere.test", peer);
  host.options.warn_after = 1000s;
  host.options.give_up = 5000s;
  host.start();
  host.put(host.item({"bob@elsewhere.test"}));
  REQUIRE(host.attempted(1));
  host.later(301s);
  REQUIRE(host.attempted(2));
  CHECK(host.queued()[0].next_attempt == host.seconds() + 600);
  CHECK(host.inbox().empty());
  host.later(700s);
  REQUIRE(host.attempted(3));
  REQUIRE(host.inbox().size() == 1);
  const dsn delay(host.inbox()[0]);
  CHECK(delay.status(1, "Action") == "delayed");
  CHECK(delay.status(1, "Status") == "4.3.2");
  CHECK(delay.tree.is(*delay.parts[2], "text", "rfc822-headers"));
  host.later(1201s);
  REQUIRE(host.attempted(4));
  CHECK(host.inbox().size() == 1);
  host.later(2801s);
  REQUIRE(host.soon([&] { return host.empty(); }));
  REQUIRE(host.inbox().size() == 2);
  const dsn failure(host.inbox()[1]);
  CHECK(failure.status(1, "Action") == "failed");
  CHECK(failure.status(1, "Status") == "5.4.7");
  CHECK(contains(failure.status(1, "Diagnostic-Code"), "451 4.3.2 Not now"));
}

TEST_CASE("queue: a failure becomes a report in the sender's INBOX, every field of RFC 3464 in it") {
  sender_host host;
  peer_host peer;
  peer.answer("gone", {550, {5, 1, 1}, "No such\nuser"});
  peer.start();
  host.route("elsewhere.test", peer);
  host.start();
  auto item = host.item({"gone@elsewhere.test"});
  item.envelope_id = "QQ+2B1";
  item.recipients[0].original_recipient = "rfc822;Old+40name@elsewhere.test";
  host.put(item);
  REQUIRE(host.soon([&] { return host.empty(); }));
  REQUIRE(host.inbox().size() == 1);
  const dsn told(host.inbox()[0]);
  CHECK(told.text.starts_with("Return-Path: <>\r\n"));
  CHECK(told.field("To") == "<alice@example.org>");
  CHECK(told.field("From") == "Mail Delivery System <postmaster@out.test>");
  CHECK(told.field("Auto-Submitted") == "auto-replied");
  CHECK(told.field("MIME-Version") == "1.0");
  CHECK_FALSE(told.field("Date").empty());
  CHECK(told.field("Message-ID").ends_with("@out.test>"));
  const auto type = mail::parse_content_type(told.field("Content-Type"));
  CHECK(type.value == "multipart/report");
  REQUIRE(type.find("report-type") != nullptr);
  CHECK(*type.find("report-type") == "delivery-status");
  CHECK(told.tree.is(*told.parts[0], "text", "plain"));
  CHECK(told.tree.is(*told.parts[1], "message", "delivery-status"));
  CHECK(told.tree.is(*told.parts[2], "message", "rfc822"));
  CHECK(contains(told.body(0), "<gone@elsewhere.test>"));
  CHECK(told.groups.size() == 2);
  CHECK(told.status(0, "Original-Envelope-Id") == "QQ+1");
  CHECK(told.status(0, "Reporting-MTA") == "dns; out.test");
  CHECK_FALSE(told.status(0, "Arrival-Date").empty());
  CHECK(told.status(1, "Original-Recipient") == "rfc822;Old@name@elsewhere.test");
  CHECK(told.status(1, "Final-Recipient") == "rfc822; gone@elsewhere.test");
  CHECK(told.status(1, "Action") == "failed");
  CHECK(told.status(1, "Status") == "5.1.1");
  CHECK(told.status(1, "Remote-MTA") == "dns; mx.test");
  CHECK(contains(told.status(1, "Diagnostic-Code"), "smtp; 550 5.1.1 No such"));
  CHECK(told.body(2) == sent_message.substr(0, sent_message.size() - 2));
  CHECK(peer.messages().empty());
}

TEST_CASE("queue: what NOTIFY and RET ask for is done") {
  using namespace mail::notify;
  struct row {
    const char* why;
    std::uint8_t notify;
    bool taken;
    std::size_t reports;
  };
  const row rows[] = {
      {"nothing asked, failure", 0, false, 1},         {"never, failure", never, false, 0},
      {"failure, failure", failure, false, 1},         {"success only, failure", success, false, 0},
      {"delay only, failure", delay, false, 0},        {"nothing asked, success", 0, true, 0},
      {"success, success", success, true, 1},          {"failure only, success", failure, true, 0},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    sender_host host;
    peer_host peer;
    peer.service.protocol.offered.dsn = false;  // it will not report itself
    if (!one.taken) peer.answer("bob", {550, {5, 1, 1}, "No"});
    peer.start();
    host.route("elsewhere.test", peer);
    host.start();
    auto item = host.item({"bob@elsewhere.test"});
    item.recipients[0].notify = one.notify;
    item.return_content = 1;
    host.put(item);
    REQUIRE(host.soon([&] { return host.empty(); }));
    REQUIRE(host.inbox().size() == one.reports);
    if (one.reports == 0) continue;
    const dsn told(host.inbox()[0]);
    CHECK(told.status(1, "Action") == (one.taken ? "relayed" : "failed"));
    CHECK(told.status(1, "Status").starts_with(one.taken ? "2." : "5."));
    CHECK(told.tree.is(*told.parts[2], "text", "rfc822-headers"));  // RET=HDRS; and never more on success
    CHECK(contains(told.body(2), "Subject: to be reported"));
    CHECK_FALSE(contains(told.body(2), "Hello"));
  }
}

TEST_CASE("queue: a server with DSN gets the parameters, and reports success itself") {
  sender_host host;
  peer_host peer;
  peer.start();
  host.route("elsewhere.test", peer);
  host.start();
  auto item = host.item({"bob@elsewhere.test"});
  item.recipients[0].notify = mail::notify::success | mail::notify::delay;
  item.recipients[0].original_recipient = "rfc822;b";
  item.envelope_id = "E1";
  item.return_content = 2;
  host.put(item);
  REQUIRE(host.soon([&] { return host.empty(); }));
  const auto got = peer.messages().at(0).envelope;
  CHECK(got.envelope_id == "E1");
  CHECK(got.ret == mail::return_content::full);
  CHECK(got.recipients.at(0).notify_on == (mail::notify::success | mail::notify::delay));
  CHECK(got.recipients.at(0).original_recipient == "rfc822;b");
  CHECK(host.inbox().empty());
}

TEST_CASE("queue: a report to a sender elsewhere goes by the queue with the null sender; nobody is told about it failing") {
  sender_host host;
  peer_host gone, back;
  gone.answer("bob", {550, {5, 1, 1}, "No"});
  gone.start();
  back.start();
  host.route("elsewhere.test", gone);
  host.route("back.test", back);
  host.start();
  SUBCASE("delivered") {
    host.put(host.item({"bob@elsewhere.test"}, "list@back.test"));
    REQUIRE(host.soon([&] { return back.messages().size() == 1 && host.empty(); }));
    const auto got = back.messages().front();
    CHECK_FALSE(got.envelope.sender.has_value());
    CHECK(mail::format_mailbox(got.envelope.recipients.at(0).address) == "list@back.test");
    CHECK_FALSE(contains(got.octets, "Return-Path"));
  }
  SUBCASE("refused") {
    back.answer("list", {550, {5, 1, 1}, "No"});
    host.put(host.item({"bob@elsewhere.test"}, "list@back.test"));
    REQUIRE(host.soon([&] { return host.log.count("delivery.failed") == 2 && host.empty(); }));
    CHECK(back.messages().empty());
    CHECK(host.log.count("delivery.reported") == 1);
  }
  SUBCASE("a local sender that is gone") {
    host.put(host.item({"bob@elsewhere.test"}, "ghost@example.org"));
    REQUIRE(host.soon([&] { return host.log.count("delivery.report_undeliverable") == 1 && host.empty(); }));
  }
  CHECK(host.inbox().empty());
}

TEST_CASE("queue: encryption as demanded") {
  struct row {
    const char* why;
    hop_tls tls;
    bool offered, trusted;
    const char* reply;  // of the deferral; null: sent
    const char* version;
  };
  const row rows[] = {
      {"required and there", hop_tls::required, true, false, nullptr, "TLSv1.3"},
      {"required, not offered", hop_tls::required, false, true, "451 4.7.10", ""},
      {"verified and trusted", hop_tls::verified, true, true, nullptr, "TLSv1.3"},
      {"verified, not trusted", hop_tls::verified, true, false, "451 4.7.5", ""},
      {"verified, not offered", hop_tls::verified, false, true, "451 4.7.10", ""},
      {"optional and there", hop_tls::optional, true, false, nullptr, "TLSv1.3"},
      {"optional, not offered", hop_tls::optional, false, true, nullptr, ""},
      {"none", hop_tls::none, true, true, nullptr, ""},
  };
  const auto distrust = net::tls_context::client({});
  REQUIRE(distrust.has_value());
  for (const row& one : rows) {
    CAPTURE(one.why);
    sender_host host;
    peer_host peer;
    if (!one.offered) peer.service.tls = nullptr;
    if (!one.trusted) host.options.verified = *distrust;
    peer.start();
    host.route("elsewhere.test", peer, one.tls);
    host.start();
    host.put(host.item({"bob@elsewhere.test"}));
    if (one.reply == nullptr) {
      REQUIRE(host.soon([&] { return host.empty(); }));
      CHECK(peer.messages().at(0).tls == one.version);
    } else {
      REQUIRE(host.attempted(1));
      CHECK(peer.attempts == 0);
      const std::string said = host.queued()[0].recipients[0].last_reply;
      CHECK_MESSAGE(said.starts_with(one.reply), said);
    }
  }
}

TEST_CASE("queue: optional encryption that does not work is given up, once, and for that connection only") {
  for (const hop_tls tls : {hop_tls::optional, hop_tls::required}) {
    sender_host host;
    peer_host peer;
    // This side breaks the handshake off: its context trusts nobody who is there.
    host.options.recorded = *net::tls_context::client({});
    peer.start();
    host.route("elsewhere.test", peer, tls);
    host.start();
    host.put(host.item({"bob@elsewhere.test"}));
    if (tls == hop_tls::optional) {
      REQUIRE(host.soon([&] { return host.empty(); }));
      CHECK(peer.messages().at(0).tls.empty());
      CHECK(peer.connections == 2);
    } else {
      REQUIRE(host.attempted(1));
      CHECK(peer.attempts == 0);
      CHECK(peer.connections == 1);
    }
  }
}

TEST_CASE("queue: one connection for two messages; one that the server closed is replaced without loss or duplicate") {
  sender_host host;
  peer_host peer;
  peer.start();
  host.route("elsewhere.test", peer);
  host.options.keep_connection = 60s;
  host.options.connections = 1;
  host.start();
  host.put(host.item({"a@elsewhere.test"}));
  REQUIRE(host.soon([&] { return host.empty(); }));
  host.put(host.item({"b@elsewhere.test"}));
  REQUIRE(host.soon([&] { return host.empty(); }));
  CHECK(peer.messages().size() == 2);
  CHECK(peer.connections == 1);
  // It says 421 and closes. The next message finds the connection dead and takes another.
  peer.threads.stop(0ms);
  peer_host again;
  again.service.protocol = peer.service.protocol;
  again.start({base::ip_address::v4({127, 0, 0, 1}), peer.port()});
  host.put(host.item({"c@elsewhere.test"}));
  REQUIRE(host.soon([&] { return host.empty(); }));
  CHECK(again.messages().size() == 1);
  CHECK(peer.messages().size() == 2);
}

TEST_CASE("queue: a server that says 421 between two messages") {
  sender_host host;
  memory_log heard;
  peer_host peer;
  peer.service.command_deadline = 1s;
  peer.service.log = &heard;
  peer.start();
  host.route("elsewhere.test", peer);
  host.options.keep_connection = 60s;
  host.start();
  host.put(host.item({"a@elsewhere.test"}));
  REQUIRE(host.soon([&] { return host.empty(); }));
  REQUIRE(host.soon([&] { return heard.count("timed_out") == 1; }));
  host.put(host.item({"b@elsewhere.test"}));
  REQUIRE(host.soon([&] { return host.empty(); }));
  CHECK(peer.messages().size() == 2);
  CHECK(peer.connections == 2);
}

TEST_CASE("queue: more than a hundred recipients go in several transactions, each once") {
  sender_host host;
  peer_host peer;
  peer.start();
  host.route("elsewhere.test", peer);
  host.start();
  std::vector<std::string> to;
  for (int i = 0; i < 250; ++i) to.push_back("user" + std::to_string(i) + "@elsewhere.test");
  host.put(host.item(to));
  REQUIRE(host.soon([&] { return host.empty(); }));
  const auto got = peer.messages();
  REQUIRE(got.size() == 3);
  CHECK(got[0].envelope.recipients.size() + got[1].envelope.recipients.size() + got[2].envelope.recipients.size() == 250);
  CHECK(peer.connections == 1);
}

TEST_CASE("queue: a server that takes few recipients at a time gets the others at once, RFC 9422 §4.2, RFC 5321 §4.5.3.1.10") {
  sender_host host;
  peer_host peer;
  std::size_t messages = 3, left = 0;
  SUBCASE("it has said how many") { peer.service.protocol.recipients = 2; }
  SUBCASE("it says 452 4.5.3 to each more") {
    peer.service.protocol.recipients = 2;
    peer.service.protocol.offered.limits = false;
  }
  SUBCASE("it takes none of them: they wait") {
    for (const char* who : {"a", "b", "c", "d", "e"}) peer.answer(who, server::replies::too_many_recipients);
    messages = 0;
    left = 5;
  }
  SUBCASE("one whose mailbox is full waits alone") {
    peer.answer("c", server::replies::mailbox_full);
    messages = 1;
    left = 1;
  }
  peer.start();
  host.route("elsewhere.test", peer);
  host.start();
  host.put(host.item({"a@elsewhere.test", "b@elsewhere.test", "c@elsewhere.test", "d@elsewhere.test", "e@elsewhere.test"}));
  if (left == 0) REQUIRE(host.soon([&] { return host.empty(); }));
  else REQUIRE(host.attempted(1));
  CHECK(peer.messages().size() == messages);
  CHECK(peer.connections == 1);
  if (left != 0) CHECK(host.queued()[0].recipients.size() == left);
}

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

TEST_CASE("queue: REQUIRETLS goes on to the next host, and with the report, RFC 8689 §4.2.1, §5") {
  sender_host host;
  peer_host without, with;
  without.service.protocol.offered.requiretls = false;
  with.service.protocol.offered.requiretls = true;
  auto item = host.item({"bob@elsewhere.test"});
  item.require_tls = true;
  item.return_content = 2;
  SUBCASE("the second host has it") {
    without.start();
    with.start({base::ip_address::v4({127, 0, 0, 2}), without.port()});
    host.options.routing.port = without.port();
    host.dns.add_mx("elsewhere.test", 1, "mx.test");
    host.dns.add_mx("elsewhere.test", 2, "localhost");
    host.dns.add_address("localhost", "127.0.0.2");
    host.start();
    host.put(item);
    REQUIRE(host.soon([&] { return host.empty(); }));
    CHECK(without.attempts == 0);
    REQUIRE(with.messages().size() == 1);
    CHECK(with.messages()[0].envelope.require_tls);
    CHECK(host.inbox().empty());
  }
  SUBCASE("nobody has it: the report has no content, whatever RET says") {
    without.start();
    host.route("elsewhere.test", without);
    host.start();
    host.put(item);
    REQUIRE(host.soon([&] { return host.empty(); }));
    REQUIRE(host.inbox().size() == 1);
    const dsn told(host.inbox()[0]);
    CHECK(told.status(1, "Status") == "5.7.30");
    CHECK(told.tree.is(*told.parts[2], "text", "rfc822-headers"));
    CHECK_FALSE(contains(told.text, "Hello"));
  }
  SUBCASE("the report demands it of a server that has it") {
    with.answer("bob", {550, {5, 1, 1}, "No"});
    with.start();
    host.route("elsewhere.test", with);
    item.sender = "list@elsewhere.test";
    host.start();
    host.put(item);
    REQUIRE(host.soon([&] { return with.messages().size() == 1 && host.empty(); }));
    CHECK(with.messages()[0].envelope.require_tls);
  }
  SUBCASE("the report is not lost where nobody has it") {
    with.answer("bob", {550, {5, 1, 1}, "No"});
    with.start();
    without.start();
    host.route("elsewhere.test", with);
    host.route("back.test", without);
    item.sender = "list@back.test";
    host.start();
    host.put(item);
    REQUIRE(host.soon([&] { return without.messages().size() == 1 && host.empty(); }));
    CHECK_FALSE(without.messages()[0].envelope.require_tls);
  }
  SUBCASE("nor where the server cannot prove its name") {
    with.answer("bob", {550, {5, 1, 1}, "No"});
    host.options.verified = *net::tls_context::client({});
    with.start();
    host.route("back.test", with);
    auto bounce = host.item({"list@back.test"}, "");
    bounce.require_tls = true;
    host.start();
    host.put(bounce);
    REQUIRE(host.soon([&] { return with.messages().size() == 1 && host.empty(); }));
    CHECK_FALSE(with.messages()[0].envelope.require_tls);
  }
}

TEST_CASE("queue: what the message needs is found by looking at it") {
  struct row {
    const char* why;
    std::string body;
    bool smtputf8, declared_8bit;
    const char* to;
    const char* failure;  // at a server that has neither 8BITMIME nor SMTPUTF8; null: sent
  };
  const row rows[] = {
      {"plain text", "Subject: x\r\n\r\nHello\r\n", false, false, "bob@elsewhere.test", nullptr},
      {"declared more than it needs", "Subject: x\r\n\r\nHello\r\n", true, true, "bob@elsewhere.test", nullptr},
      {"8-bit text", "Subject: x\r\n\r\nGr\xc3\xbc\xc3\x9f" "e\r\n", false, true, "bob@elsewhere.test", "554 5.6.3"},
      {"8-bit text, not declared", "Subject: x\r\n\r\nGr\xc3\xbc\xc3\x9f" "e\r\n", false, false, "bob@elsewhere.test", "554 5.6.3"},
      {"a header in UTF-8", "Subject: Gr\xc3\xbc\xc3\x9f" "e\r\n\r\nx\r\n", true, true, "bob@elsewhere.test", "553 5.6.7"},
      {"an address in UTF-8", "Subject: x\r\n\r\nx\r\n", true, false, "j\xc3\xb6rg@elsewhere.test", "553 5.6.7"},
      {"binary", std::string("Subject: x\r\n\r\na\nb\0c\r\n", 21), false, true, "bob@elsewhere.test", "554 5.6.3"},
  };
  for (const row& one : rows) {
    for (const bool able : {false, true}) {
      CAPTURE(one.why);
      CAPTURE(able);
      sender_host host;
      peer_host peer;
      peer.service.protocol.offered.eightbitmime = able;
      peer.service.protocol.offered.smtputf8 = able;
      peer.service.protocol.offered.binarymime = able;
      peer.start();
      host.route("elsewhere.test", peer);
      host.start();
      auto item = host.item({one.to});
      item.smtputf8 = one.smtputf8;
      item.eight_bit = one.declared_8bit;
      host.put(item, one.body);
      REQUIRE(host.soon([&] { return host.empty(); }));
      if (able || one.failure == nullptr) {
        REQUIRE(peer.messages().size() == 1);
        CHECK(peer.messages()[0].octets == one.body);
        CHECK(host.inbox().empty());
      } else {
        CHECK(peer.attempts == 0);
        REQUIRE(host.inbox().size() == 1);
        const dsn told(host.inbox()[0]);
        CHECK_MESSAGE(contains(told.status(1, "Diagnostic-Code"), one.failure), told.text);
      }
    }
  }
}

TEST_CASE("queue: a message that the store lost is reported, not kept for ever") {
  sender_host host;
  host.queue.unreadable = true;
  host.start();
  host.put(host.item({"bob@elsewhere.test"}));
  REQUIRE(host.soon([&] { return host.empty(); }));
  REQUIRE(host.inbox().size() == 1);
  CHECK(contains(host.inbox()[0], "Status: 5.3.0"));
}

TEST_CASE("queue: a domain with very many hosts that do not answer is given up for now, not tried to the end") {
  sender_host host;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "mx" + std::to_string(i) + ".many.test";
    host.dns.add_mx("many.test", static_cast<std::uint16_t>(i), name);
    host.dns.add_address(name, "127.77.0." + std::to_string(i + 1));  // nobody listens there on port 25
  }
  host.start();
  host.put(host.item({"bob@many.test"}));
  REQUIRE(host.attempted(1));
  CHECK(host.log.count("delivery.refused") == base::limits::next_hop_addresses);
  CHECK(host.queued().front().recipients.front().state == store::recipient_state::waiting);
}

TEST_CASE("queue: a binary message is not returned inside its report, which would be lost with it") {
  sender_host host;
  const std::string binary = std::string("From: alice@example.org\r\nSubject: to be\nreported\r\n\r\nzero ") + '\0' + " and a bare\nline";
  const store::queue_item item = host.item({"bob@binary.test"});
  const delivery::reported_recipient about{&item.recipients.front(), delivery::report_action::failed};
  const dsn told(delivery::make_report(item, {&about, 1}, binary, "out.test", host.time.now(), the_crypto()));
  CHECK(delivery::look_at(told.text).body != mail::body_kind::binary_mime);
  CHECK(contains(told.body(2), "Subject: to be reported"));
  CHECK_FALSE(contains(told.body(2), "zero"));
}

TEST_CASE("queue: what a report quotes keeps its parts in the charset that they have, RFC 3464 §2, RFC 6533 §3") {
  sender_host host;
  store::queue_item item = host.item({"bob@elsewhere.test"});
  store::queue_recipient& who = item.recipients.front();
  const auto report = [&] {
    const delivery::reported_recipient about{&who, delivery::report_action::failed};
    return dsn(delivery::make_report(item, {&about, 1}, stored_message, "out.test", host.time.now(), the_crypto()));
  };
  SUBCASE("a reply and an ORCPT in another charset") {
    who.last_reply = "550 5.1.1 Empf\xe4nger f\xc3\xbcr immer unbekannt";
    who.original_recipient = "rfc822;+C3x+0D+0AX:+20y";
    const dsn told = report();
    CHECK(told.tree.is(*told.parts[1], "message", "delivery-status"));
    CHECK(std::ranges::all_of(told.body(1), [](char c) { return static_cast<unsigned char>(c) < 128; }));
    CHECK(told.status(1, "Diagnostic-Code") == "smtp; 550 5.1.1 Empf?nger f??r immer unbekannt");
    CHECK(told.status(1, "Original-Recipient") == "rfc822;?x  X: y");
    CHECK(contains(told.body(0), "Empf?nger f\xc3\xbcr immer"));  // its charset is UTF-8
  }
  SUBCASE("an address in UTF-8") {
    who.address = "j\xc3\xb6rg@elsewhere.test";
    who.last_reply = "550 5.1.1 Empf\xe4nger f\xc3\xbcr immer unbekannt";
    who.original_recipient = "utf-8;j\xc3\xb6rg@elsewhere.test";
    const dsn told = report();
    CHECK(told.tree.is(*told.parts[1], "message", "global-delivery-status"));
    CHECK(told.status(1, "Original-Recipient") == who.original_recipient);
    CHECK(told.status(1, "Diagnostic-Code") == "smtp; 550 5.1.1 Empf?nger f\xc3\xbcr immer unbekannt");
  }
  SUBCASE("an enhanced code of another class than the reply's") {
    who.last_reply = "550 4.1.1 It never will";
    CHECK(report().status(1, "Status") == "5.0.0");
  }
  SUBCASE("an ORCPT in UTF-8 alone") {
    who.original_recipient = "utf-8;j\xc3\xb6rg@elsewhere.test";
    const dsn told = report();
    CHECK(told.tree.is(*told.parts[1], "message", "global-delivery-status"));
    CHECK(told.status(1, "Original-Recipient") == who.original_recipient);
  }
}

// The queue runner against real servers on loopback: success, retries, encryption, connections, what a message needs.

#include "briefwerk/base/limits.hpp"
#include "delivery/queue_work.hpp"
#include "delivery/support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using delivery::hop_tls;

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

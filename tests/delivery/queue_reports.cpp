// What the sender hears of the queue: reports of delay, failure and success (RFC 3461, 3464), and what stands in them.

#include "delivery/queue_work.hpp"
#include "delivery/support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;

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

TEST_CASE("queue: a message that the store lost is reported, not kept for ever") {
  sender_host host;
  host.queue.unreadable = true;
  host.start();
  host.put(host.item({"bob@elsewhere.test"}));
  REQUIRE(host.soon([&] { return host.empty(); }));
  REQUIRE(host.inbox().size() == 1);
  CHECK(contains(host.inbox()[0], "Status: 5.3.0"));
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

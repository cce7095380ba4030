// The complete handler: Submission, trace fields, verdicts, loops.

#include "briefwerk/mail/date.hpp"
#include "briefwerk/mail/header.hpp"
#include "server/smtp_support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;

namespace {

std::vector<std::string> field_names(std::string_view message) {
  std::vector<std::string> names;
  mail::header_reader reader(message);
  for (mail::header_field field; reader.next(field);) names.emplace_back(field.name);
  return names;
}

std::string value_of(std::string_view message, std::string_view name) {
  return mail::unfold(mail::header_block(message).value(name));
}

std::size_t count_of(std::string_view message, std::string_view name) { return mail::header_block(message).count(name); }

}  // namespace

TEST_CASE("Submission: whose sender address one may use") {
  mail_host host;
  host.add("alice@example.org");
  host.add("bob@example.org");
  host.alias("sales@example.org", {"alice@example.org"});
  host.alias("all@example.org", {"alice@example.org", "bob@example.org"});
  REQUIRE(base::sync_wait(host.store->directory().put_domain({.name = "second.test"})).has_value());
  auto alice = base::sync_wait(host.store->directory().find_account("alice@example.org"));
  REQUIRE(alice.has_value());
  alice->send_as = {"info@elsewhere.test", "@second.test"};
  REQUIRE(base::sync_wait(host.store->directory().update_account(*alice)).has_value());
  host.start();
  client peer(host.submission_port());
  peer.begin();
  peer.log_in("alice@example.org", "secret");
  struct row {
    const char* why;
    std::string_view from;
    bool ok;
  };
  const row rows[] = {
      {"own", "<alice@example.org>", true},
      {"own, letter case", "<Alice@EXAMPLE.ORG>", true},
      {"own with a tag", "<alice+shop@example.org>", true},
      {"alias of her alone", "<sales@example.org>", true},
      {"alias of several", "<all@example.org>", false},
      {"send_as", "<info@elsewhere.test>", true},
      {"send_as with another local part", "<other@elsewhere.test>", false},
      {"send_as a domain", "<anyone@second.test>", true},
      {"another account", "<bob@example.org>", false},
      {"nobody here", "<ghost@example.org>", false},
      {"foreign", "<alice@other.test>", false},
      {"own address quoted into a foreign one", "<\"alice@example.org\"@other.test>", false},
      {"the null sender of receipts", "<>", true},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    const std::string said = peer.ask("MAIL FROM:" + std::string(one.from));
    CHECK_MESSAGE(said.starts_with(one.ok ? "250 2.1.0" : "550 5.7.1"), said);
    peer.ask("RSET");
  }
}

TEST_CASE("Submission: Date and Message-ID are added where they are missing, and only there") {
  mail_host host;
  const std::string alice = host.add("alice@example.org"), bob = host.add("bob@example.org");
  host.start();
  client peer(host.submission_port());
  peer.begin();
  peer.log_in("alice@example.org", "secret");
  CHECK(peer.send("alice@example.org", "bob@example.org", "From: alice@example.org\r\n\r\nx\r\n").starts_with("250 2.6.0"));
  CHECK(peer.send("alice@example.org", "bob@example.org", "dATE: today\r\nmessage-id: <1@a>\r\nFrom: alice@example.org\r\n\r\nx\r\n").starts_with("250"));
  const auto texts = host.messages(bob);
  REQUIRE(texts.size() == 2);
  CHECK(field_names(texts[0]) == std::vector<std::string>{"Return-Path", "Received", "Date", "Message-ID", "From"});
  CHECK(value_of(texts[0], "Message-ID").ends_with("@mx.test>"));
  CHECK(mail::parse_date(value_of(texts[0], "Date")).has_value());
  CHECK(field_names(texts[1]) == std::vector<std::string>{"Return-Path", "Received", "dATE", "message-id", "From"});
  CHECK(host.messages(alice).empty());
}

TEST_CASE("Submission: the client's address is nobody's business; remote recipients go to the queue") {
  mail_host host;
  const std::string alice = host.add("alice@example.org");
  host.start();
  client peer(host.submission_port());
  peer.begin();
  peer.log_in("alice@example.org", "secret");
  CHECK(peer.ask("MAIL FROM:<alice@example.org> ENVID=abc RET=HDRS BODY=8BITMIME").starts_with("250"));
  CHECK(peer.ask("RCPT TO:<far@elsewhere.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;far@elsewhere.test").starts_with("250"));
  CHECK(peer.ask("RCPT TO:<Far@Elsewhere.test>").starts_with("250"));
  CHECK(peer.ask("RCPT TO:<alice@example.org>").starts_with("250"));
  CHECK(peer.data("From: alice@example.org\r\n\r\nHello\r\n").starts_with("250"));
  const auto own = host.messages(alice);
  REQUIRE(own.size() == 1);
  const std::string received = value_of(own[0], "Received");
  CHECK_MESSAGE(received.starts_with("from submission"), received);
  CHECK(contains(received, "by mx.test with ESMTPSA"));
  CHECK(contains(received, "TLSv1.3"));
  CHECK_FALSE(contains(own[0], "127.0.0.1"));
  CHECK_FALSE(contains(own[0], "client.test"));
  CHECK_FALSE(contains(received, "for <"));  // several recipients: none is revealed
  const auto queue = host.queued();
  REQUIRE(queue.size() == 1);
  CHECK(queue[0].sender == "alice@example.org");
  CHECK(queue[0].envelope_id == "abc");
  CHECK(queue[0].return_content == 1);
  REQUIRE(queue[0].recipients.size() == 2);  // the local part is the other domain's affair
  CHECK(queue[0].recipients[0].notify == (mail::notify::success | mail::notify::delay));
  CHECK(queue[0].recipients[0].original_recipient == "rfc822;far@elsewhere.test");
}

TEST_CASE("port 25: Return-Path and Received as RFC 5321 §4.4 has them; what the sender forged is gone") {
  mail_host host;
  const std::string alice = host.add("alice@example.org");
  host.start();
  client peer(host.mx_port());
  peer.begin();
  const std::string forged =
      "Return-Path: <forged@example.org>\r\nX-Spam-Flag: NO\r\nSubject: kept\r\nx-spam-status: No,\r\n score=-99\r\n"
      "X-Spammer: kept\r\nreturn-path: <again@example.org>\r\nX-Spam-Anything: x\r\n\r\nX-Spam-Flag: in the body\r\n";
  CHECK(peer.send("somebody@elsewhere.test", "alice@example.org", forged).starts_with("250"));
  CHECK(peer.send("", "alice+tag@example.org", " begins with a space\r\n\r\nx\r\n").starts_with("250"));
  const auto texts = host.messages(alice);
  REQUIRE(texts.size() == 2);
  INFO(texts[0]);
  INFO(texts[1]);
  CHECK(field_names(texts[0]) == std::vector<std::string>{"Return-Path", "Received", "Subject", "X-Spammer"});
  CHECK(texts[0].starts_with("Return-Path: <somebody@elsewhere.test>\r\nReceived: from client.test ([127.0.0.1])\r\n\tby mx.test with ESMTPS"));
  CHECK(texts[0].ends_with("Subject: kept\r\nX-Spammer: kept\r\n\r\nX-Spam-Flag: in the body\r\n"));
  CHECK(contains(value_of(texts[0], "Received"), "for <alice@example.org>"));
  CHECK(value_of(texts[1], "Return-Path") == "<>");
  // What begins with a space is not taken for the end of our own field.
  CHECK(contains(texts[1], "\r\n\r\n begins with a space\r\n"));
}

TEST_CASE("port 25: a loop ends") {
  mail_host host;
  const std::string alice = host.add("alice@example.org");
  host.start();
  client peer(host.mx_port());
  peer.begin();
  std::string hops;
  for (int i = 0; i < 100; ++i) hops += "Received: from a by b; Thu, 1 Jan 1970 00:00:00 +0000\r\n";
  CHECK(peer.send("a@elsewhere.test", "alice@example.org", hops + "\r\nx\r\n").starts_with("250"));
  CHECK(peer.send("a@elsewhere.test", "alice@example.org", "Received: x\r\n" + hops + "\r\nx\r\n").starts_with("554 5.4.6"));
  CHECK(host.messages(alice).size() == 1);
}

TEST_CASE("verdicts become replies: reject, defer, junk, tag, discard, at each hook") {
  using namespace filter;
  mail_host host;
  const std::string alice = host.add("alice@example.org");
  host.chain.add(message_stage("test", [](session_facts&, const mail::smtp_envelope&, const message_facts& message) {
    const std::string subject = value_of(message.octets, "Subject");
    if (subject == "reject") return verdict::rejected("No thanks", "test");
    if (subject == "coded") return verdict{.what = action::reject, .code = 552, .enhanced = "5.7.26", .text = "two\nlines"};
    if (subject == "defer") return verdict::deferred("Later", "test");
    if (subject == "junk") {
      verdict v = verdict::junked("test");
      v.score = 7.25;
      return v;
    }
    if (subject == "discard") return verdict{.what = action::discard};
    if (subject == "tag") return verdict{.what = action::tag, .score = 1, .add_fields = {{"X-Test", "yes"}}};
    return verdict::accepted();
  }));
  host.chain.add(rcpt_stage("rcpt", [](session_facts&, const mail::smtp_envelope&, const mail::envelope_recipient& to) {
    return to.address.local == "alice+no" ? verdict::deferred("Grey", "test") : verdict::accepted();
  }));
  host.start();
  client peer(host.mx_port());
  peer.begin();
  struct row {
    const char* subject;
    const char* reply;
    std::size_t inbox, junk;
  };
  const row rows[] = {
      {"reject", "550 5.7.1 No thanks", 0, 0}, {"coded", "552-5.7.26 two\r\n552 5.7.26 lines", 0, 0}, {"defer", "451 4.7.1 Later", 0, 0},
      {"discard", "250 2.6.0", 0, 0},          {"junk", "250 2.6.0", 0, 1},                            {"tag", "250 2.6.0", 1, 1},
      {"fine", "250 2.6.0", 2, 1},
  };
  for (const row& one : rows) {
    CAPTURE(one.subject);
    const std::string said = peer.send("a@elsewhere.test", "alice@example.org", "Subject: " + std::string(one.subject) + "\r\n\r\nx\r\n");
    CHECK_MESSAGE(said.starts_with(one.reply), said);
    CHECK(host.messages(alice).size() == one.inbox);
    CHECK(host.messages(alice, "Junk").size() == one.junk);
  }
  CHECK(peer.send("a@elsewhere.test", "alice+no@example.org", "x").starts_with("451 4.7.1 Grey"));

  const std::string junk = host.messages(alice, "Junk").front();
  CHECK(value_of(junk, "X-Spam-Flag") == "YES");
  CHECK(value_of(junk, "X-Spam-Status").starts_with("Yes, score=7.2"));
  auto box = base::sync_wait(host.store->mailboxes().find(alice, "Junk"));
  REQUIRE(box.has_value());
  auto snapshot = base::sync_wait(host.store->mailboxes().snapshot(alice, box->id));
  REQUIRE(snapshot.has_value());
  CHECK((*snapshot)->keywords == std::vector<std::string>{"$Junk"});
  CHECK(((*snapshot)->at(0).flags >> 16) == 1);
  const std::string tagged = host.messages(alice).front();
  CHECK(value_of(tagged, "X-Test") == "yes");
  CHECK(value_of(tagged, "X-Spam-Status") == "No, score=1.0");
  CHECK(count_of(tagged, "X-Spam-Flag") == 0);
}

TEST_CASE("a full mailbox is a temporary refusal at RCPT; what was accepted is kept above the quota") {
  mail_host host;
  const std::string alice = host.add("alice@example.org"), bob = host.add("bob@example.org");
  REQUIRE(base::sync_wait(host.store->mailboxes().set_quota(alice, {.octets = 0, .messages = 1})).has_value());
  host.alias("both@example.org", {"alice@example.org", "bob@example.org"});
  host.start();
  client peer(host.mx_port()), second(host.mx_port());
  for (client* one : {&peer, &second}) {
    one->begin();
    CHECK(one->ask("MAIL FROM:<a@elsewhere.test>").starts_with("250"));
    CHECK(one->ask("RCPT TO:<alice@example.org>").starts_with("250"));
  }
  CHECK(peer.data("x\r\n").starts_with("250"));
  CHECK(second.data("y\r\n").starts_with("250"));
  CHECK(host.messages(alice).size() == 2);
  CHECK(peer.send("a@elsewhere.test", "alice@example.org", "z\r\n").starts_with("452 4.2.2"));
  peer.ask("RSET");
  // One full member does not stop the mail of the others.
  CHECK(peer.send("a@elsewhere.test", "both@example.org", "z\r\n").starts_with("250"));
  CHECK(host.messages(bob).size() == 1);
}

TEST_CASE("many recipients, each once, in one commit") {
  mail_host host;
  std::vector<std::string> ids;
  for (int i = 0; i < 50; ++i) ids.push_back(host.add("user" + std::to_string(i) + "@example.org"));
  host.alias("some@example.org", {"user1@example.org", "user2@example.org"});
  host.start();
  client peer(host.mx_port());
  peer.begin();
  CHECK(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("250"));
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 50; ++i) CHECK(peer.ask("RCPT TO:<user" + std::to_string(i) + (round ? "+tag" : "") + "@example.org>").starts_with("250"));
  }
  CHECK(peer.ask("RCPT TO:<some@example.org>").starts_with("250"));
  CHECK(peer.data(small_message.substr(0, small_message.find(".dot"))).starts_with("250"));
  for (const auto& id : ids) CHECK(host.messages(id).size() == 1);
}

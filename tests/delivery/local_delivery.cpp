// From an accepted message to mailboxes and queue.

#include "delivery/support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;

namespace {

mail::smtp_envelope envelope(std::vector<std::string> to, std::string_view from = "sender@elsewhere.test") {
  mail::smtp_envelope made;
  if (!from.empty()) made.sender = *mail::parse_mailbox(from);
  for (const auto& one : to) made.recipients.push_back({*mail::parse_mailbox(one, mail::utf8::allow), {}, 0});
  return made;
}

base::status deliver(delivery::local_delivery& local, const mail::smtp_envelope& to, bool junk = false) {
  return base::sync_wait(local.deliver(to, {.octets = stored_message, .junk = junk, .account = {}}));
}

}  // namespace

TEST_CASE("local delivery: each mailbox once, each remote address once, all in one") {
  mail_host host;
  const std::string alice = host.add("alice@example.org"), bob = host.add("bob@example.org");
  REQUIRE(base::sync_wait(host.store->directory().put_domain({.name = "all.test", .catch_all = "bob@example.org"})).has_value());
  host.alias("team@example.org", {"alice@example.org", "far@elsewhere.test", "bob@example.org"});
  host.alias("nested@example.org", {"team@example.org", "other@elsewhere.test"});
  const auto done = deliver(host.local, envelope({"alice@example.org", "Alice+tag@EXAMPLE.org", "nested@example.org", "x@all.test",
                                                  "far@Elsewhere.TEST", "Far@elsewhere.test"}));
  REQUIRE(done.has_value());
  CHECK(host.messages(alice) == std::vector<std::string>{std::string(stored_message)});
  CHECK(host.messages(bob).size() == 1);
  REQUIRE(host.queued().size() == 1);
  std::vector<std::string> remote;
  const auto kept = host.queued()[0];
  for (const auto& one : kept.recipients) remote.push_back(one.address);
  std::ranges::sort(remote);
  CHECK(remote == std::vector<std::string>{"Far@elsewhere.test", "far@elsewhere.test", "other@elsewhere.test"});
}

TEST_CASE("local delivery: junk goes where its owner keeps it") {
  mail_host host;
  const std::string alice = host.add("alice@example.org"), bob = host.add("bob@example.org");
  REQUIRE(base::sync_wait(host.store->mailboxes().rename(alice, "Junk", "Rubbish")).has_value());
  REQUIRE(base::sync_wait(host.store->mailboxes().remove(bob, "Junk")).has_value());
  REQUIRE(deliver(host.local, envelope({"alice@example.org", "bob@example.org"}), true).has_value());
  CHECK(host.messages(alice, "Rubbish").size() == 1);
  CHECK(host.messages(alice).empty());
  CHECK(host.messages(bob).size() == 1);  // nowhere else to put it
}

TEST_CASE("local delivery: a mailbox that refuses alone: the others have it once, the failed one is not lost") {
  mail_host host;
  memory_log log;
  const std::string alice = host.add("alice@example.org");
  // In the directory, not (or no longer) in the store.
  REQUIRE(base::sync_wait(host.store->directory().add_account({.login = "carol@example.org"})).has_value());
  host.alias("team@example.org", {"alice@example.org", "carol@example.org"});
  delivery::local_delivery local(host.store->directory(), host.store->mailboxes(), base::system_clock(), {.log = &log});
  mail::smtp_envelope to = envelope({"team@example.org"});
  to.recipients[0].original_recipient = "rfc822;team@example.org";
  REQUIRE(deliver(local, to).has_value());
  CHECK(host.messages(alice).size() == 1);
  REQUIRE(host.queued().size() == 1);
  const auto kept = host.queued()[0];
  REQUIRE(kept.recipients.size() == 1);
  CHECK(kept.recipients[0].address == "carol@example.org");
  CHECK(kept.recipients[0].original_recipient == "rfc822;team@example.org");
  CHECK(kept.sender == "sender@elsewhere.test");
  CHECK(log.count("delivery.target_refused to=carol@example.org") == 1);
}

TEST_CASE("local delivery: an account that went between RCPT and the end of DATA gets its bounce from the queue") {
  mail_host host;
  const std::string alice = host.add("alice@example.org");
  REQUIRE(deliver(host.local, envelope({"alice@example.org", "gone@example.org"})).has_value());
  CHECK(host.messages(alice).size() == 1);
  REQUIRE(host.queued().size() == 1);
  CHECK(host.queued()[0].recipients.at(0).address == "gone@example.org");
}

TEST_CASE("queue: what a mailbox refused is kept until the account is there, or reported") {
  sender_host host;
  auto made = base::sync_wait(host.store->directory().add_account({.login = "carol@example.org"}));
  REQUIRE(made.has_value());
  host.start();
  host.put(host.item({"carol@example.org"}));
  REQUIRE(host.attempted(1));
  CHECK(host.queued()[0].recipients.at(0).last_reply.starts_with("451"));
  SUBCASE("it comes") {
    REQUIRE(base::sync_wait(host.store->mailboxes().create_account(made->id)).has_value());
    host.later(301s);
    REQUIRE(host.soon([&] { return host.empty(); }));
    CHECK(host.inbox().empty());
    auto box = base::sync_wait(host.store->mailboxes().find(made->id, "INBOX"));
    REQUIRE(box.has_value());
    auto status = base::sync_wait(host.store->mailboxes().status(made->id, box->id));
    REQUIRE(status.has_value());
    CHECK(status->messages == 1);
  }
  SUBCASE("it goes") {
    REQUIRE(base::sync_wait(host.store->directory().remove_account(made->id)).has_value());
    host.later(301s);
    REQUIRE(host.soon([&] { return host.empty(); }));
    REQUIRE(host.inbox().size() == 1);
    CHECK(dsn(host.inbox()[0]).status(1, "Status") == "5.1.1");
  }
}

TEST_CASE("local delivery: NOTIFY=SUCCESS is answered with a report, others are not, the null sender never") {
  mail_host host;
  const std::string alice = host.add("alice@example.org"), bob = host.add("bob@example.org");
  delivery::local_delivery local(host.store->directory(), host.store->mailboxes(), base::system_clock(),
                                 {.hostname = "mx.test", .crypto = &the_crypto()});
  mail::smtp_envelope to = envelope({"bob@example.org"}, "alice@example.org");
  REQUIRE(deliver(local, to).has_value());
  CHECK(host.messages(alice).empty());
  to.recipients[0].notify_on = mail::notify::success;
  REQUIRE(deliver(local, to).has_value());
  REQUIRE(host.messages(alice).size() == 1);
  const dsn told(host.messages(alice)[0]);
  CHECK(told.status(1, "Action") == "delivered");
  CHECK(told.status(1, "Status") == "2.0.0");
  CHECK(told.status(1, "Final-Recipient") == "rfc822; bob@example.org");
  CHECK_FALSE(contains(told.text, "Hello"));
  to.sender = std::nullopt;
  REQUIRE(deliver(local, to).has_value());
  CHECK(host.messages(bob).size() == 3);
  CHECK(host.messages(alice).size() == 1);
  to.sender = *mail::parse_mailbox("far@elsewhere.test");
  REQUIRE(deliver(local, to).has_value());
  REQUIRE(host.queued().size() == 1);
  CHECK(host.queued()[0].sender.empty());
  CHECK(host.queued()[0].recipients.at(0).address == "far@elsewhere.test");
}

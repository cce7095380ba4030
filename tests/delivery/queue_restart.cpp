// Nothing is lost and nothing is sent twice: stores that fail, restarts, stops.

#include "delivery/support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;

TEST_CASE("queue: a store that cannot write for a while delays the bookkeeping, never sends again") {
  sender_host host;
  peer_host peer;
  peer.start();
  host.route("elsewhere.test", peer);
  SUBCASE("removal fails") {
    host.queue.failures = 2;
    host.start();
    host.put(host.item({"bob@elsewhere.test"}));
  }
  SUBCASE("the report fails") {
    host.queue.failures = 2;
    peer.answer("gone", {550, {5, 1, 1}, "No"});
    host.start();
    host.put(host.item({"bob@elsewhere.test", "gone@elsewhere.test"}));
  }
  SUBCASE("progress between two domains fails") {
    host.queue.failures = 2;
    host.route("other.test", peer);
    host.start();
    host.put(host.item({"bob@elsewhere.test", "bob@other.test"}));
  }
  REQUIRE(host.soon([&] { return host.empty(); }));
  CHECK(host.queue.failures == 0);
  CHECK(host.log.count("queue.not_updated") == 2);
  const auto got = peer.messages();
  CHECK(got.size() == host.figures.get_counter("queue.delivered").value());
  CHECK(host.soon([&] { return host.inbox().size() == host.log.count("delivery.reported"); }));  // logged behind the commit
}

TEST_CASE("queue: what one domain took is not sent again after a stop in the middle of the next") {
  sender_host host;
  peer_host first, second;
  first.start();
  second.hold = true;
  second.start();
  host.route("a.test", first);
  host.route("b.test", second);
  host.start();
  host.put(host.item({"x@a.test", "x@b.test"}));
  REQUIRE(host.soon([&] { return second.attempts == 1; }));
  CHECK(first.messages().size() == 1);
  const auto left = host.queued();  // written down already
  REQUIRE(left.size() == 1);
  CHECK(left[0].recipients.at(0).state == store::recipient_state::delivered);
  SUBCASE("the program does not wait for the answer") {
    host.runner->stop();
    net::io_thread& loop = (*host.threads)[0];
    loop.post([&loop] {
      loop.begin_stopping();
      loop.close_streams();
    });
    host.end();
  }
  SUBCASE("the program ends in order") {
    std::thread open([&] {
      std::this_thread::sleep_for(100ms);
      second.hold = false;
    });
    host.end();
    open.join();
  }
  second.hold = false;
  host.time.advance(301s);
  host.start();
  REQUIRE(host.soon([&] { return host.empty(); }));
  CHECK(first.messages().size() == 1);
  CHECK(second.messages().size() >= 1);
}

TEST_CASE("queue: a new runner on the same store goes on where the old one was") {
  sender_host host;
  peer_host peer;
  peer.message_answer = smtp::reply{451, {4, 3, 0}, "Later"};
  peer.start();
  host.route("elsewhere.test", peer);
  host.start();
  host.put(host.item({"bob@elsewhere.test"}));
  REQUIRE(host.attempted(1));
  host.end();
  CHECK(host.queued().at(0).attempts == 1);
  peer.message_answer = server::replies::queued;
  host.start();
  std::this_thread::sleep_for(50ms);
  CHECK(peer.messages().empty());  // it is not due
  host.later(301s);
  REQUIRE(host.soon([&] { return host.empty(); }));
  CHECK(peer.messages().size() == 1);
}

TEST_CASE("queue: a clock that is set back does not put mail off until its old time comes again") {
  sender_host host;
  peer_host peer;
  peer.start();
  host.route("elsewhere.test", peer);
  SUBCASE("while nobody ran the queue") {
    auto item = host.item({"bob@elsewhere.test"});
    item.arrived = item.next_attempt = host.seconds() + 10 * 24 * 3600;
    host.put(item);
    host.start();
  }
  SUBCASE("while the message waits, beside one that comes later") {
    peer.message_answer = smtp::reply{451, {4, 3, 0}, "Later"};
    host.start();
    host.put(host.item({"bob@elsewhere.test"}));
    REQUIRE(host.attempted(1));
    peer.message_answer = server::replies::queued;
    host.time.advance(-std::chrono::hours(10 * 24));
  }
  SUBCASE("and the time to give up is counted from the new one") {
    peer.message_answer = smtp::reply{451, {4, 3, 0}, "Later"};
    auto item = host.item({"bob@elsewhere.test"});
    item.arrived = item.next_attempt = host.seconds() + 10 * 24 * 3600;
    host.put(item);
    host.start();
    REQUIRE(host.attempted(1));
    host.later(5 * 24h);
    REQUIRE(host.soon([&] { return host.empty(); }));
    CHECK(host.inbox().size() == 1);
    return;
  }
  REQUIRE(host.soon([&] { return host.empty(); }));
  CHECK(peer.messages().size() == 1);
}

TEST_CASE("queue: stop() lets the message under way end and begins no other") {
  sender_host host;
  peer_host peer;
  peer.hold = true;
  peer.start();
  host.route("elsewhere.test", peer);
  host.options.connections = 1;
  host.start();
  host.put(host.item({"a@elsewhere.test"}));
  host.put(host.item({"b@elsewhere.test"}));
  REQUIRE(host.soon([&] { return peer.attempts == 1; }));
  host.runner->stop();
  CHECK_FALSE(host.runner->is_idle());
  peer.hold = false;
  REQUIRE(host.soon([&] { return host.runner->is_idle(); }));
  CHECK(peer.messages().size() == 1);
  CHECK(host.queued().size() == 1);
  host.end();
}

TEST_CASE("queue: an item that somebody removed while it was sent is gone") {
  sender_host host;
  peer_host peer;
  peer.hold = true;
  peer.message_answer = smtp::reply{451, {4, 3, 0}, "Later"};
  peer.start();
  host.route("elsewhere.test", peer);
  host.start();
  host.put(host.item({"a@elsewhere.test"}));
  REQUIRE(host.soon([&] { return peer.attempts == 1; }));
  REQUIRE(base::sync_wait(host.store->queue().remove(host.queued().at(0).id)).has_value());
  peer.hold = false;
  host.runner->stop();
  REQUIRE(host.soon([&] { return host.runner->is_idle(); }));
  CHECK(host.empty());
}

TEST_CASE("queue: recipients of a domain that is served here are delivered here, or fail as unknown") {
  sender_host host;
  host.start();
  host.put(host.item({"alice@example.org", "Alice+tag@example.org", "ghost@example.org"}));
  REQUIRE(host.soon([&] { return host.empty(); }));
  const auto texts = host.inbox();
  REQUIRE(texts.size() == 2);  // the message once, and the report
  CHECK(texts[0] == stored_message);
  const dsn told(texts[1]);
  CHECK(told.groups.size() == 2);
  CHECK(told.status(1, "Final-Recipient") == "rfc822; ghost@example.org");
  CHECK(told.status(1, "Status") == "5.1.1");
}

TEST_CASE("queue: what an alias passes on from the queue keeps what was asked for, RFC 3461 §5.2.7, and goes out once") {
  sender_host host;
  peer_host peer;
  peer.answer("far", {550, {5, 1, 1}, "No"});
  peer.start();
  host.route("elsewhere.test", peer);
  for (const char* alias : {"team@example.org", "crew@example.org"})
    REQUIRE(base::sync_wait(host.store->directory().put_alias({alias, {"far@elsewhere.test", "near@elsewhere.test"}})).has_value());
  auto item = host.item({"team@example.org", "crew@example.org"});
  for (auto& one : item.recipients) {
    one.notify = mail::notify::never;
    one.original_recipient = "rfc822;team@example.org";
  }
  host.start();
  host.put(item);
  REQUIRE(host.soon([&] { return peer.messages().size() >= 1 && host.empty(); }));
  CHECK(host.inbox().empty());
  CHECK(peer.messages().size() == 1);
  REQUIRE(peer.messages()[0].envelope.recipients.size() == 1);
  CHECK(peer.messages()[0].envelope.recipients[0].notify_on == mail::notify::never);
  CHECK(peer.messages()[0].envelope.recipients[0].original_recipient == "rfc822;team@example.org");
}

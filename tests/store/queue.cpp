#include <doctest/doctest.h>

#include <atomic>
#include <cstring>
#include <memory>

#include "briefwerk/base/task.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/store/committer.hpp"
#include "briefwerk/store/local_store.hpp"
#include "store/engine_folder.hpp"
#include "store/queue/queue_records.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::store;
using base::sync_wait;

const base::crypto& crypto() {
  static const auto instance = crypto::make_boringssl();
  return *instance;
}

struct office {
  explicit office(std::unique_ptr<local_store> made) : store(std::move(made)) {
    REQUIRE(sync_wait(store->mailboxes().create_account("sender")));
  }
  std::unique_ptr<local_store> store;
  queue_store& queue = store->queue();

  void put(std::string octets, std::vector<queue_item> items) {
    auto done = sync_wait(store->mailboxes().deliver({octets, ""}, {}, std::move(items)));
    REQUIRE(done);
  }
  std::vector<std::string> due(std::int64_t until, std::size_t most = 100) {
    auto found = sync_wait(queue.due(until, most));
    REQUIRE(found);
    std::vector<std::string> ids;
    for (const auto& item : *found) ids.push_back(item.id);
    return ids;
  }
};

using ids = std::vector<std::string>;

queue_item item(std::string id, std::int64_t next_attempt) {
  queue_item i;
  i.id = std::move(id);
  i.sender = "a@example.org";
  i.account = "sender";
  i.recipients = {{.address = "x@y.example", .original_recipient = "rfc822;x@y.example", .notify = 6},
                  {.address = "z@y.example", .state = recipient_state::failed, .delay_reported = true, .last_reply = "550 5.1.1 no", .last_host = "mx"}};
  i.next_attempt = next_attempt;
  i.envelope_id = "env";
  i.return_content = 1;
  i.smtputf8 = true;
  i.require_tls = true;
  return i;
}

void queues(office& o) {
  CHECK(*sync_wait(o.queue.next_due()) == 0);
  CHECK(*sync_wait(o.queue.size()) == 0);
  o.put("message one", {item("b", 300), item("a", 100)});
  o.put("message two", {item("c", 200), item("early", -5), item("", 250)});
  CHECK(*sync_wait(o.queue.size()) == 5);
  CHECK(*sync_wait(o.queue.next_due()) == -5);
  CHECK(o.due(200) == ids{"early", "a", "c"});
  CHECK(o.due(200, 2) == ids{"early", "a"});
  CHECK(o.due(-6).empty());
  auto made = sync_wait(o.queue.due(299, 100));
  REQUIRE(made->size() == 4);
  const std::string given = made->back().id;
  CHECK(given.size() > 10);

  auto found = sync_wait(o.queue.find("a"));
  REQUIRE(found);
  CHECK(found->sender == "a@example.org");
  CHECK(found->size == 11);
  CHECK(found->smtputf8);
  CHECK(!found->eight_bit);
  REQUIRE(found->recipients.size() == 2);
  CHECK(found->recipients[0].notify == 6);
  CHECK(found->recipients[1].state == recipient_state::failed);
  CHECK(found->recipients[1].last_reply == "550 5.1.1 no");
  CHECK(sync_wait(o.queue.read(found->message))->view() == "message one");
  CHECK(sync_wait(o.queue.find("b"))->message == found->message);
  CHECK(sync_wait(o.queue.find("none")).error() == base::errc::not_found);
  CHECK(sync_wait(o.queue.find("")).error() == base::errc::not_found);

  // An id that is taken fails the commit that brings it, and nothing of it is stored.
  auto again = sync_wait(o.store->mailboxes().deliver({"m", ""}, {{.account = "sender"}}, {item("new", 1), item("a", 1)}));
  CHECK(again.error() == base::errc::already_exists);
  CHECK(sync_wait(o.queue.find("new")).error() == base::errc::not_found);
  CHECK(*sync_wait(o.queue.size()) == 5);
  CHECK(sync_wait(o.store->mailboxes().usage("sender"))->used_messages == 0);

  queue_item later = *found;
  later.next_attempt = 1000;
  later.attempts = 1;
  later.message = {};  // cannot be changed
  later.recipients[0].state = recipient_state::delivered;
  REQUIRE(sync_wait(o.queue.update(later)));
  CHECK(o.due(299) == ids{"early", "c", given});
  CHECK(sync_wait(o.queue.find("a"))->attempts == 1);
  CHECK(sync_wait(o.queue.find("a"))->message == found->message);
  CHECK(sync_wait(o.queue.update(item("none", 1))).error() == base::errc::not_found);

  // The end of an attempt, with its report, is one commit.
  later.next_attempt = 2000;
  REQUIRE(sync_wait(o.queue.finish(later, false, {"delayed", ""}, {{.account = "sender"}}, {})));
  CHECK(sync_wait(o.queue.find("a"))->next_attempt == 2000);
  CHECK(sync_wait(o.store->mailboxes().usage("sender"))->used_messages == 1);
  REQUIRE(sync_wait(o.queue.finish(later, true, {"failed", ""}, {{.account = "gone"}, {.account = "sender"}}, {item("report", 5)})));
  CHECK(sync_wait(o.queue.find("a")).error() == base::errc::not_found);
  CHECK(sync_wait(o.queue.read(sync_wait(o.queue.find("report"))->message))->view() == "failed");
  CHECK(sync_wait(o.store->mailboxes().usage("sender"))->used_messages == 2);
  CHECK(sync_wait(o.queue.finish(later, true, {"twice", ""}, {{.account = "sender"}}, {})).error() == base::errc::not_found);
  CHECK(sync_wait(o.store->mailboxes().usage("sender"))->used_messages == 2);
  REQUIRE(sync_wait(o.queue.finish(item("report", 0), true, {}, {}, {})));  // without a report

  CHECK(sync_wait(o.queue.list("", 2))->size() == 2);
  CHECK(sync_wait(o.queue.list("b", 100))->front().id == "c");
  REQUIRE(sync_wait(o.queue.remove("c")));
  CHECK(sync_wait(o.queue.remove("c")).error() == base::errc::not_found);
  CHECK(*sync_wait(o.queue.size()) == 3);
  CHECK(o.due(INT64_MAX) == ids{"early", given, "b"});
}

TEST_CASE("queue: an item in quarantine is there, but never due, until it is released") {
  office o(make_memory_store(crypto(), base::system_clock()));
  queue_item kept = item("kept", 100);
  kept.held = "looks bad";
  o.put("message", {kept, item("other", 200)});
  CHECK(*sync_wait(o.queue.size()) == 1);
  CHECK(o.due(INT64_MAX) == ids{"other"});
  CHECK(sync_wait(o.queue.list("", 10))->size() == 2);
  REQUIRE(sync_wait(o.queue.reschedule("kept", 0)));  // does not release it
  CHECK(o.due(INT64_MAX) == ids{"other"});
  auto found = sync_wait(o.queue.find("kept"));
  REQUIRE(found);
  CHECK(found->held == "looks bad");
  CHECK(sync_wait(o.queue.read(found->message))->view() == "message");
  found->held.clear();
  REQUIRE(sync_wait(o.queue.update(*found)));
  CHECK(o.due(INT64_MAX) == ids{"kept", "other"});
  CHECK(*sync_wait(o.queue.size()) == 2);
  REQUIRE(sync_wait(o.queue.remove("kept")));
  CHECK(*sync_wait(o.queue.size()) == 1);
  o.put("message", {kept});
  REQUIRE(sync_wait(o.queue.remove("kept")));
  CHECK(*sync_wait(o.queue.size()) == 1);
}

TEST_CASE("queue in memory") {
  office o(make_memory_store(crypto(), base::system_clock()));
  queues(o);
}

TEST_CASE("queue on disk, and opened again" * testing::needs_disk()) {
  const testing::folder where;
  {
    office o(*open_local_store(where.path(), crypto(), base::system_clock()));
    queues(o);
  }
  const auto store = *open_local_store(where.path(), crypto(), base::system_clock());
  CHECK(*sync_wait(store->queue().size()) == 3);
  const auto due = sync_wait(store->queue().due(INT64_MAX, 10));
  REQUIRE(due);
  REQUIRE(due->size() == 3);
  CHECK(sync_wait(store->queue().read(due->back().message))->view() == "message one");
}

TEST_CASE("queue: many items in pieces") {
  office o(make_memory_store(crypto(), base::system_clock()));
  std::vector<queue_item> items;
  for (int i = 0; i < 2500; ++i) items.push_back(item("", i % 50));
  o.put("m", items);
  CHECK(o.due(INT64_MAX, 2200).size() == 2200);
  CHECK(o.due(24, 10000).size() == 1250);
  CHECK(sync_wait(o.queue.list("", 10000))->size() == 2500);
}

TEST_CASE("queue: a list is in the order of arrival, within a millisecond and when the clock is set back") {
  base::manual_clock time(base::wall_time(std::chrono::hours(500000)));
  office o(make_memory_store(crypto(), time));
  ids senders;
  for (int i = 0; i < 40; ++i) {
    if (i == 20) time.advance(std::chrono::hours(-1));
    queue_item next = item("", 1);
    next.sender = senders.emplace_back(std::to_string(i) + "@example.org");
    o.put("m", {std::move(next)});
  }
  auto found = sync_wait(o.queue.list("", 100));
  REQUIRE(found);
  ids listed;
  for (const auto& one : *found) listed.push_back(one.sender);
  CHECK(listed == senders);
}

TEST_CASE("queue: a damaged item does not hold up the others") {
  office o(make_memory_store(crypto(), base::system_clock()));
  o.put("m", {item("a", 1), item("b", 2), item("c", 3)});
  transaction damage;
  damage.write("q", [](const view&, std::span<const blob_ref>, batch& out) -> base::status {
    out.put(queue_keys::of_item("b"), "not an item");
    out.put(queue_keys::of_due(0, "nobody"), "");
    return {};
  });
  REQUIRE(sync_wait(committer(o.store->bottom()).commit(std::move(damage))));
  CHECK(o.due(10) == ids{"a", "c"});
  const auto all = sync_wait(o.queue.list("", 10));
  REQUIRE(all);
  CHECK(all->size() == 2);
  CHECK(sync_wait(o.queue.find("b")).error() == base::errc::corrupt);
}

TEST_CASE("queue: an item is put forward as it is by then") {
  office o(make_memory_store(crypto(), base::system_clock()));
  o.put("m", {item("a", 1000)});
  queue_item sent = *sync_wait(o.queue.find("a"));
  sent.recipients[0].state = recipient_state::delivered;  // after the one who puts it forward has read it
  REQUIRE(sync_wait(o.queue.update(sent)));
  REQUIRE(sync_wait(o.queue.reschedule("a", 5)));
  CHECK(o.due(5) == ids{"a"});
  CHECK(sync_wait(o.queue.find("a"))->recipients[0].state == recipient_state::delivered);
  CHECK(sync_wait(o.queue.reschedule("none", 5)).error() == base::errc::not_found);
}

TEST_CASE("queue: watching") {
  office o(make_memory_store(crypto(), base::system_clock()));
  std::atomic<int> calls{0};
  {
    const subscription watching = o.queue.watch([&] { ++calls; });
    o.put("m", {item("a", 1)});
    CHECK(calls > 0);  // views show the commit, and the engine has reported it, before the answer
  }
  const int before = calls;
  REQUIRE(sync_wait(o.queue.remove("a")));
  CHECK(calls == before);
}

TEST_CASE("queue: records cut anywhere are refused") {
  const auto whole = encode(item("id", 77));
  const auto back = decode_queue_item(whole, "id");
  REQUIRE(back);
  CHECK(encode(*back) == whole);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto block = std::make_unique<char[]>(size);
    std::memcpy(block.get(), whole.data(), size);
    CHECK_FALSE(decode_queue_item({block.get(), size}, "id"));
  }
  CHECK_FALSE(decode_queue_item(whole + 'x', "id"));
  const auto key = queue_keys::of_due(-1, "id");
  CHECK(queue_keys::parse_due(key)->next_attempt == -1);
  CHECK(queue_keys::of_due(-1, "z") < queue_keys::of_due(0, "a"));
  for (std::size_t size = 0; size < 10; ++size) CHECK_FALSE(queue_keys::parse_due(key.substr(0, size)));
}

}  // namespace

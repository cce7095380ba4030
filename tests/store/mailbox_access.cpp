// Rights of others (RFC 4314), messages that go from one account to another, and what a commit tells watchers.

#include <condition_variable>
#include <mutex>
#include <set>

#include "briefwerk/base/limits/store.hpp"
#include "store/mailbox_bench.hpp"

namespace briefwerk::store::testing {

namespace rights = mail::rights;

void conforms_in_access(const mailbox_factory& make) {
  bench b(make);
  for (const char* name : {"bob", "carl"}) REQUIRE(sync_wait(b.store.create_account(name)));
  const auto made = [&](const char* name) {
    auto info = sync_wait(b.store.create("alice", name, std::nullopt));
    REQUIRE(info);
    return info->id;
  };
  const auto change = [&](mailbox_id box, access_change what) {
    return sync_wait(b.store.change_access("alice", box, std::move(what)));
  };
  const auto rights_at = [&](mailbox_id box, const char* user) {
    const auto entries = sync_wait(b.store.access("alice", box));
    REQUIRE(entries);
    return rights_of(*entries, user);
  };
  const auto team = made("team");
  CHECK(sync_wait(b.store.access("alice", team))->empty());
  REQUIRE(change(team, {.user = "bob", .rights = rights::lookup | rights::read}));
  REQUIRE(change(team, {.user = "bob", .how = flag_change::add, .rights = rights::create}));
  REQUIRE(change(team, {.user = "bob", .how = flag_change::remove, .rights = rights::read}));
  CHECK(rights_at(team, "bob") == (rights::lookup | rights::create));
  CHECK(rights_at(team, "carl") == 0);
  REQUIRE(change(team, {.user = "", .rights = rights::read | rights::lookup}));
  REQUIRE(change(team, {.user = "bob", .negative = true, .rights = rights::read}));
  CHECK(rights_at(team, "bob") == (rights::lookup | rights::create));
  CHECK(rights_at(team, "carl") == (rights::lookup | rights::read));
  CHECK(change(99, {.user = "bob", .rights = rights::read}).error() == errc::no_such_mailbox);

  // A mailbox below begins with them, and its parents that come along; they follow a name.
  const auto deep = made("team/a/b"), between = b.id("team/a");
  for (const auto box : {deep, between}) CHECK(rights_at(box, "bob") == (rights::lookup | rights::create));
  REQUIRE(sync_wait(b.store.rename("alice", "team/a", "else/a")));
  CHECK(b.id("else/a/b") == deep);
  CHECK(rights_at(deep, "carl") == (rights::lookup | rights::read));
  CHECK(rights_at(b.id("else"), "carl") == 0);
  CHECK(sync_wait(b.store.access_of_all("alice"))->size() == 3);

  // Who shares with whom, as long as there is an entry that gives.
  using accounts = std::vector<account_id>;
  CHECK(*sync_wait(b.store.sharing_with("carl")) == accounts{"alice"});
  CHECK(sync_wait(b.store.sharing_with("alice"))->empty());
  for (const auto box : {team, deep, between}) REQUIRE(change(box, {.user = ""}));
  CHECK(sync_wait(b.store.sharing_with("carl"))->empty());
  CHECK(*sync_wait(b.store.sharing_with("bob")) == accounts{"alice"});

  // They go with a mailbox.
  REQUIRE(sync_wait(b.store.remove("alice", "else/a/b")));
  CHECK(sync_wait(b.store.access("alice", deep))->empty());
  CHECK(sync_wait(b.store.access_of_all("alice"))->size() == 2);
  // INBOX keeps its rights when its messages go elsewhere, and those have them too.
  REQUIRE(change(b.id("INBOX"), {.user = "carl", .rights = rights::lookup}));
  REQUIRE(sync_wait(b.store.rename("alice", "INBOX", "old")));
  for (const char* name : {"INBOX", "old"}) CHECK(rights_at(b.id(name), "carl") == rights::lookup);

  for (std::size_t i = 0; i < base::limits::store_access_entries; ++i) {
    const auto done = change(between, {.user = "u" + std::to_string(i), .rights = rights::lookup});
    if (i + 2 < base::limits::store_access_entries) REQUIRE(done);
  }
  CHECK(change(between, {.user = "one more", .rights = rights::lookup}).error() == base::errc::limit_exceeded);
}

void conforms_in_transfer_between_accounts(const mailbox_factory& make) {
  bench b(make);
  REQUIRE(sync_wait(b.store.create_account("bob")));
  const auto inbox = b.id("INBOX"), theirs = b.id("INBOX", "bob");
  for (int i = 0; i < 200; ++i) b.put("m" + std::to_string(i));
  b.set(inbox, {{1, 200}}, flag_change::add, {flags::seen | flags::flagged, {"$Work", "$Other"}});
  const auto used = [&](const char* who) { return sync_wait(b.store.usage(who))->used_messages; };
  const auto move = [&](transfer_request what) { return sync_wait(b.store.transfer(std::move(what))); };

  auto copied = move({.from_account = "alice", .from = inbox, .uids = {{2, 3}, {190, 190}, {900, 900}}, .to_account = "bob", .to = theirs});
  REQUIRE(copied);
  CHECK(copied->from == std::vector<std::uint32_t>{2, 3, 190});
  CHECK(copied->to == std::vector<std::uint32_t>{1, 2, 3});
  auto seen = b.look(theirs, "bob");
  CHECK(copied->uid_validity == seen->uid_validity);
  CHECK(seen->keywords == std::vector<std::string>{"$Work", "$Other"});
  CHECK(seen->at(2).flags == b.look(inbox)->at(189).flags);
  CHECK(sync_wait(b.store.read(seen->at(2).blob))->view() == "m189");
  CHECK(sync_wait(b.store.summaries("bob", theirs, 3, 3, 1))->rows.front().summary == "summary of m189");
  CHECK(used("alice") == 200);
  CHECK(used("bob") == 3);

  auto moved = move({.from_account = "alice", .from = inbox, .uids = {{1, 150}}, .to_account = "bob", .to = theirs, .moves = true,
                     .flags_kept = flags::seen});
  REQUIRE(moved);
  CHECK(moved->to.size() == 150);
  CHECK(b.look(inbox)->count() == 50);
  seen = b.look(theirs, "bob");
  CHECK(seen->count() == 153);
  CHECK(seen->at(152).flags == flags::seen);
  CHECK(used("alice") == 50);
  CHECK(used("bob") == 153);

  // All or none.
  REQUIRE(sync_wait(b.store.set_quota("bob", {0, 154})));
  CHECK(move({.from_account = "alice", .from = inbox, .uids = {{151, 152}}, .to_account = "bob", .to = theirs, .moves = true}).error() ==
        errc::over_quota);
  CHECK(b.look(inbox)->count() == 50);
  CHECK(used("alice") == 50);
  CHECK(move({.from_account = "alice", .from = 99, .uids = {{1, 1}}, .to_account = "bob", .to = theirs}).error() == errc::no_such_mailbox);
  // Inside an account, with some flags left behind.
  auto inside = move({.from_account = "alice", .from = inbox, .uids = {{151, 151}}, .to_account = "alice", .to = b.id("Trash"), .moves = true,
                      .flags_kept = 0});
  REQUIRE(inside);
  CHECK(b.look("Trash")->at(0).flags == 0);
  CHECK(used("alice") == 50);

  // Flags that stay as they are when others are replaced.
  b.set(inbox, {{152, 152}}, flag_change::replace, {flags::answered, {}, flags::seen | mail::flags::keyword_mask});
  const auto* const entry = b.look(inbox)->find(152);
  CHECK((entry->flags & mail::flags::system_mask) == (flags::answered | flags::seen));
  CHECK((entry->flags & mail::flags::keyword_mask) != 0);
}

// What is told does not hang on how many mailboxes there are: only those that changed are named.
void conforms_in_watching_many(const mailbox_factory& make, int mailboxes) {
  bench b(make);
  std::mutex mutex;
  std::condition_variable arrived;
  std::multiset<mailbox_id> calls;
  const auto wait = [&](mailbox_id id) {
    std::unique_lock lock(mutex);
    const bool came = arrived.wait_for(lock, std::chrono::seconds(60), [&] { return calls.contains(id); });
    return came ? std::exchange(calls, {}) : std::multiset<mailbox_id>();
  };
  for (int i = 0; i < mailboxes; ++i)
    REQUIRE(sync_wait(b.store.create("alice", "many/n" + std::to_string(i), std::nullopt)));
  const auto last = b.id("many/n" + std::to_string(mailboxes - 1));
  const subscription watching = b.store.watch("alice", [&](mailbox_id id) {
    std::lock_guard lock(mutex);
    calls.insert(id);
    arrived.notify_all();
  });
  b.put("one", {.account = "alice", .mailbox = "many/n" + std::to_string(mailboxes - 1)});
  CHECK(wait(last) == std::multiset<mailbox_id>{last});
  REQUIRE(sync_wait(b.store.subscribe("alice", "many/n7", true)));
  CHECK(wait(0) == std::multiset<mailbox_id>{0});
  REQUIRE(sync_wait(b.store.change_access("alice", last, {.user = "bob", .rights = rights::lookup})));
  CHECK(wait(0) == std::multiset<mailbox_id>{0});
  const auto all = sync_wait(b.store.list("alice"));
  REQUIRE(all);
  CHECK(all->size() == static_cast<std::size_t>(mailboxes) + 7);
  CHECK((*all)[0].name == "INBOX");
}

}  // namespace briefwerk::store::testing

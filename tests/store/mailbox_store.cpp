#include <doctest/doctest.h>

#include <functional>

#include "briefwerk/base/limits/store.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/store/local_store.hpp"
#include "briefwerk/store/memory_engine.hpp"
#include "briefwerk/store/rocksdb_engine.hpp"
#include "store/engine/rocksdb_parts.hpp"
#include "store/engine_disk.hpp"
#include "store/engine_folder.hpp"
#include "store/mailbox/keys.hpp"
#include "store/mailbox/records.hpp"
#include "store/mailbox_conformance.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::store;
using base::sync_wait;

const base::crypto& crypto() {
  static const auto instance = crypto::make_boringssl();
  return *instance;
}

testing::mailbox_subject in_memory(const base::clock& time) {
  std::shared_ptr<local_store> made = make_memory_store(crypto(), time);
  return {made, &made->mailboxes()};
}

struct on_disk_parts {
  testing::folder folder;
  std::unique_ptr<local_store> store;
};

std::unique_ptr<local_store> open(const std::string& path, const base::clock& time, local_store_options options = {}) {
  std::string why;
  auto opened = open_local_store(path, crypto(), time, options, {}, &why);
  CAPTURE(why);
  REQUIRE(opened);
  return std::move(*opened);
}

testing::mailbox_subject on_disk(const base::clock& time) {
  auto parts = std::make_shared<on_disk_parts>();
  parts->store = open(parts->folder.path(), time);
  auto* mailboxes = &parts->store->mailboxes();
  return {std::move(parts), mailboxes};
}

// No snapshot survives between two calls: every answer comes from the engine.
testing::mailbox_subject without_cache(const base::clock& time) {
  std::shared_ptr<local_store> made = make_memory_store(crypto(), time, {.snapshot_cache = 0, .directory_cache = 0, .read_inline = false});
  return {made, &made->mailboxes()};
}

TEST_CASE("mailboxes in memory: accounts and names") { testing::conforms_in_accounts_and_names(in_memory); }
TEST_CASE("mailboxes in memory: names by pieces") { testing::conforms_in_names_by_pieces(in_memory); }
TEST_CASE("mailboxes in memory: renaming and removing") { testing::conforms_in_renaming_and_removing(in_memory); }
TEST_CASE("mailboxes in memory: delivery") { testing::conforms_in_delivery(in_memory); }
TEST_CASE("mailboxes in memory: quota") { testing::conforms_in_quota(in_memory); }
TEST_CASE("mailboxes in memory: rights of others") { testing::conforms_in_access(in_memory); }
TEST_CASE("mailboxes in memory: between accounts") { testing::conforms_in_transfer_between_accounts(in_memory); }
TEST_CASE("mailboxes in memory: many, watched") { testing::conforms_in_watching_many(in_memory, 20000); }
TEST_CASE("mailboxes in memory: annotations") { testing::conforms_in_annotations(in_memory); }
TEST_CASE("mailboxes in memory: flags") { testing::conforms_in_flags(in_memory); }
TEST_CASE("mailboxes in memory: keywords") { testing::conforms_in_keywords(in_memory); }
TEST_CASE("mailboxes in memory: copying and moving") { testing::conforms_in_copying_and_moving(in_memory); }
TEST_CASE("mailboxes in memory: expunging") { testing::conforms_in_expunging(in_memory); }
TEST_CASE("mailboxes in memory: summaries") { testing::conforms_in_summaries(in_memory); }
TEST_CASE("mailboxes in memory: digests") { testing::conforms_in_digests(in_memory); }
TEST_CASE("mailboxes in memory: watching") { testing::conforms_in_mailbox_watching(in_memory); }
TEST_CASE("mailboxes in memory: against a model") {
  for (unsigned seed = 1; seed <= 6; ++seed) testing::conforms_to_a_mailbox_model(in_memory, seed, 150);
}
TEST_CASE("mailboxes in memory: many threads") { testing::conforms_with_mailbox_threads(in_memory, 100); }

TEST_CASE("mailboxes on disk: accounts and names" * testing::needs_disk()) { testing::conforms_in_accounts_and_names(on_disk); }
TEST_CASE("mailboxes on disk: names by pieces" * testing::needs_disk()) { testing::conforms_in_names_by_pieces(on_disk); }
TEST_CASE("mailboxes on disk: renaming and removing" * testing::needs_disk()) { testing::conforms_in_renaming_and_removing(on_disk); }
TEST_CASE("mailboxes on disk: delivery" * testing::needs_disk()) { testing::conforms_in_delivery(on_disk); }
TEST_CASE("mailboxes on disk: quota" * testing::needs_disk()) { testing::conforms_in_quota(on_disk); }
TEST_CASE("mailboxes on disk: rights of others" * testing::needs_disk()) { testing::conforms_in_access(on_disk); }
TEST_CASE("mailboxes on disk: between accounts" * testing::needs_disk()) { testing::conforms_in_transfer_between_accounts(on_disk); }
TEST_CASE("mailboxes on disk: many, watched" * testing::needs_disk()) { testing::conforms_in_watching_many(on_disk, 500); }
TEST_CASE("mailboxes on disk: annotations" * testing::needs_disk()) { testing::conforms_in_annotations(on_disk); }
TEST_CASE("mailboxes on disk: flags" * testing::needs_disk()) { testing::conforms_in_flags(on_disk); }
TEST_CASE("mailboxes on disk: keywords" * testing::needs_disk()) { testing::conforms_in_keywords(on_disk); }
TEST_CASE("mailboxes on disk: copying and moving" * testing::needs_disk()) { testing::conforms_in_copying_and_moving(on_disk); }
TEST_CASE("mailboxes on disk: expunging" * testing::needs_disk()) { testing::conforms_in_expunging(on_disk); }
TEST_CASE("mailboxes on disk: summaries" * testing::needs_disk()) { testing::conforms_in_summaries(on_disk); }
TEST_CASE("mailboxes on disk: digests" * testing::needs_disk()) { testing::conforms_in_digests(on_disk); }
TEST_CASE("mailboxes on disk: watching" * testing::needs_disk()) { testing::conforms_in_mailbox_watching(on_disk); }
TEST_CASE("mailboxes on disk: against a model" * testing::needs_disk()) { testing::conforms_to_a_mailbox_model(on_disk, 7, 150); }
TEST_CASE("mailboxes on disk: many threads" * testing::needs_disk()) { testing::conforms_with_mailbox_threads(on_disk, 40); }

TEST_CASE("mailboxes without cache: flags") { testing::conforms_in_keywords(without_cache); }
TEST_CASE("mailboxes without cache: delivery") { testing::conforms_in_delivery(without_cache); }
TEST_CASE("mailboxes without cache: against a model") { testing::conforms_to_a_mailbox_model(without_cache, 8, 150); }

std::vector<message_entry> entries_of(const mailbox_snapshot& s) {
  std::vector<message_entry> all;
  for (const auto& p : s.pages()) all.insert(all.end(), p->begin(), p->end());
  return all;
}

bool same(const mailbox_snapshot& a, const mailbox_snapshot& b) {
  const auto left = entries_of(a), right = entries_of(b);
  return a.uid_validity == b.uid_validity && a.uid_next == b.uid_next && a.highest_modseq == b.highest_modseq &&
         a.keywords == b.keywords && left.size() == right.size() &&
         (left.empty() || std::memcmp(left.data(), right.data(), left.size() * sizeof(message_entry)) == 0);
}

TEST_CASE("what a change of flags prepared counts only when it is durable, and is what the store has" * testing::needs_disk()) {
  const base::manual_clock time{base::wall_time(std::chrono::milliseconds(1'700'000'000'000))};
  const testing::folder where;
  testing::test_disk disk;
  std::string why;
  auto opened = open_rocksdb_engine(where.path(), {}, rocksdb_parts{&disk, nullptr, true}, &why);
  CAPTURE(why);
  REQUIRE(opened);
  const std::shared_ptr<engine> bottom = std::move(*opened);
  const auto store = make_local_store(bottom, crypto(), time);
  const auto beside = make_local_store(bottom, crypto(), time, {.snapshot_cache = 0});  // reads everything
  auto& mail = store->mailboxes();
  REQUIRE(sync_wait(mail.create_account("a")));
  const auto inbox = sync_wait(mail.find("a", "INBOX"))->id;
  for (int i = 0; i < 300; ++i) REQUIRE(sync_wait(mail.deliver({"octets", "s"}, {{.account = "a"}}, {})));
  REQUIRE(sync_wait(mail.snapshot("a", inbox)));
  const auto set = [&](mail::uid_set uids, flag_change how) {
    return sync_wait(mail.change_flags("a", inbox, std::move(uids), how, {mail::flags::flagged, {}}, std::nullopt));
  };
  for (std::uint32_t i = 1; i <= 60; ++i) {  // on finished pages and on the unfinished one, some of them changed before
    const auto done = set({{i * 5, i * 5 + 2}, {299 - i, 299 - i}}, i % 3 == 0 ? flag_change::remove : flag_change::add);
    REQUIRE(done);
    testing::check_snapshot(*done->after);
    CHECK(same(*done->after, **sync_wait(beside->mailboxes().snapshot("a", inbox))));
    // Others change the mailbox in between.
    if (i % 10 == 0) REQUIRE(sync_wait(beside->mailboxes().deliver({"octets", "s"}, {{.account = "a"}}, {})));
  }
  const auto before = *sync_wait(mail.snapshot("a", inbox));
  disk.fail_syncs(true);
  CHECK_FALSE(set({{1, 1}}, flag_change::add));
  CHECK(same(*before, **sync_wait(mail.snapshot("a", inbox))));
  CHECK(same(*before, **sync_wait(beside->mailboxes().snapshot("a", inbox))));
}

TEST_CASE("a store opens again as it was" * testing::needs_disk()) {
  const base::manual_clock time{base::wall_time(std::chrono::milliseconds(1'700'000'000'000))};
  const testing::folder where;
  snapshot_ptr before;
  mailbox_id inbox = 0;
  {
    const auto store = open(where.path(), time);
    auto& mail = store->mailboxes();
    REQUIRE(sync_wait(mail.create_account("a")));
    inbox = sync_wait(mail.find("a", "INBOX"))->id;
    for (int i = 0; i < 300; ++i) {
      const std::string octets(static_cast<std::size_t>(i * 7), 'x');
      REQUIRE(sync_wait(mail.deliver({octets, "s"}, {{.account = "a", .flags = {0, {"k"}}}}, {})));
    }
    REQUIRE(sync_wait(mail.change_flags("a", inbox, {{3, 200}}, flag_change::add, {mail::flags::deleted, {}}, std::nullopt)));
    REQUIRE(sync_wait(mail.expunge("a", inbox, mail::uid_set{{100, 150}})));
    before = *sync_wait(mail.snapshot("a", inbox));
  }
  const auto store = open(where.path(), time);
  const auto after = sync_wait(store->mailboxes().snapshot("a", inbox));
  REQUIRE(after);
  testing::check_snapshot(**after);
  CHECK(same(*before, **after));
  const auto body = sync_wait(store->mailboxes().read((*after)->find(300)->blob));
  REQUIRE(body);
  CHECK(body->size() == 299 * 7);
}

// Two stores over one engine stand for two processes: neither may answer from what only it knows.
TEST_CASE("another process's commits are seen at once") {
  const base::manual_clock time{base::wall_time(std::chrono::milliseconds(1'700'000'000'000))};
  const std::shared_ptr<engine> shared = make_memory_engine(&time);
  const auto one = make_local_store(shared, crypto(), time), two = make_local_store(shared, crypto(), time);
  REQUIRE(sync_wait(one->mailboxes().create_account("a")));
  const auto inbox = sync_wait(two->mailboxes().find("a", "INBOX"))->id;
  for (int i = 0; i < 400; ++i) {
    auto& writer = (i % 3 == 0 ? two : one)->mailboxes();
    REQUIRE(sync_wait(writer.deliver({"octets", ""}, {{.account = "a"}}, {})));
    if (i % 5 == 0)
      REQUIRE(sync_wait(writer.change_flags("a", inbox, {{static_cast<std::uint32_t>(i / 2 + 1), static_cast<std::uint32_t>(i / 2 + 3)}},
                                            flag_change::add, {mail::flags::deleted, {}}, std::nullopt)));
    if (i % 20 == 0) REQUIRE(sync_wait(writer.expunge("a", inbox, std::nullopt)));
    const auto left = sync_wait(one->mailboxes().snapshot("a", inbox)), right = sync_wait(two->mailboxes().snapshot("a", inbox));
    REQUIRE(left);
    REQUIRE(right);
    testing::check_snapshot(**left);
    CHECK(same(**left, **right));
  }
  CHECK(sync_wait(one->mailboxes().usage("a"))->used_messages == (*sync_wait(one->mailboxes().snapshot("a", inbox)))->count());
}

TEST_CASE("a large mailbox is opened before its index is read") {
  const base::manual_clock time{base::wall_time(std::chrono::milliseconds(1'700'000'000'000))};
  const std::shared_ptr<engine> shared = make_memory_engine(&time);
  const auto writer = make_local_store(shared, crypto(), time);
  auto& mail = writer->mailboxes();
  REQUIRE(sync_wait(mail.create_account("a")));
  const auto inbox = sync_wait(mail.find("a", "INBOX"))->id;
  for (int i = 0; i < 30; ++i)
    REQUIRE(sync_wait(
        mail.append(std::vector<message_source>(100, {"m", ""}), std::vector<local_target>(100, {.account = "a"}))));
  const auto set = [&](std::uint32_t first, std::uint32_t last, flag_change how, mail::flag_set flags) {
    REQUIRE(sync_wait(mail.change_flags("a", inbox, {{first, last}}, how, {flags, {}}, std::nullopt)));
  };
  using enum flag_change;
  using namespace mail::flags;
  struct row {
    const char* why;
    std::function<void()> change;
    std::optional<std::uint32_t> first_unseen;
  };
  const row rows[] = {
      {"all unseen", [] {}, 0},
      {"all seen", [&] { set(1, UINT32_MAX, add, seen); }, std::nullopt},
      {"one, in the middle of a page", [&] { set(1700, 1700, remove, seen); }, 1699},
      {"the last of a page", [&] { set(1279, 1279, remove, seen); }, 1278},
      {"one in the unfinished page",
       [&] {
         set(1, UINT32_MAX, add, seen);
         set(2999, 2999, remove, seen);
       },
       2998},
      {"behind removed ones",
       [&] {
         set(100, 300, add, deleted);
         REQUIRE(sync_wait(mail.expunge("a", inbox, std::nullopt)));
       },
       2998 - 201},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    row.change();
    const auto expected = *sync_wait(mail.snapshot("a", inbox));
    const auto reader = make_local_store(shared, crypto(), time);  // nothing in its cache
    const auto opened = sync_wait(reader->mailboxes().open("a", inbox));
    REQUIRE(opened);
    CHECK(opened->now.messages == expected->count());
    CHECK(opened->now.unseen == expected->unseen);
    CHECK(opened->now.uid_next == expected->uid_next);
    CHECK(opened->now.uid_validity == expected->uid_validity);
    CHECK(opened->now.highest_modseq == expected->highest_modseq);
    CHECK(opened->first_unseen == row.first_unseen);
    REQUIRE_FALSE(opened->messages);
    REQUIRE(opened->pending);
    // What is committed meanwhile does not show: the messages are of the moment of opening.
    set(1, 1, replace, row.first_unseen ? seen | flagged : seen);
    const auto messages = sync_wait(opened->pending->get());
    REQUIRE(messages);
    testing::check_snapshot(**messages);
    CHECK(same(**messages, *expected));
    CHECK((*sync_wait(reader->mailboxes().snapshot("a", inbox)))->find(1)->flags != 0);

    const auto again = sync_wait(mail.open("a", inbox));  // at hand
    REQUIRE(again);
    CHECK(again->messages);
    CHECK(again->first_unseen.has_value() == row.first_unseen.has_value());
  }
  CHECK(sync_wait(mail.open("a", 999)).error() == errc::no_such_mailbox);
  {
    // Nobody waits for it any more, and the store ends.
    const auto reader = make_local_store(shared, crypto(), time);
    REQUIRE(sync_wait(reader->mailboxes().open("a", inbox)));
    REQUIRE(sync_wait(reader->mailboxes().open("a", inbox)));
  }
  // An index that cannot be read.
  transaction damage;
  damage.write("a/a", [&](const view&, std::span<const blob_ref>, batch& out) -> base::status {
    out.put(keys::of_mailbox(keys::page, inbox, 7u), "?");
    return {};
  });
  REQUIRE(sync_wait(committer(*shared).commit(std::move(damage))));
  const auto reader = make_local_store(shared, crypto(), time);
  const auto opened = sync_wait(reader->mailboxes().open("a", inbox));
  REQUIRE(opened);
  CHECK(sync_wait(opened->pending->get()).error() == base::errc::corrupt);
}

TEST_CASE("an account has so many mailboxes and subscriptions, and no more") {
  const base::manual_clock time{base::wall_time(std::chrono::milliseconds(1'700'000'000'000))};
  const std::shared_ptr<engine> shared = make_memory_engine(&time);
  const auto store = make_local_store(shared, crypto(), time);
  auto& mail = store->mailboxes();
  REQUIRE(sync_wait(mail.create_account("a")));
  const std::size_t initial = sync_wait(mail.list("a"))->size();
  // As if they had been made and subscribed one by one.
  transaction many;
  many.write("a/a", [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    for (std::size_t i = initial; i + 1 < base::limits::store_mailboxes; ++i) {
      out.put(keys::of_name(keys::name, "n" + std::to_string(i)), encode(name_record{}));
      out.put(keys::of_name(keys::subscribed, "n" + std::to_string(i)), "");
    }
    auto counters = decode_account((*now.get(keys::account))->view());
    counters->list_version += 2 * base::limits::store_mailboxes;
    out.put(keys::account, encode(*counters));
    return {};
  });
  REQUIRE(sync_wait(committer(*shared).commit(std::move(many))));
  CHECK(sync_wait(mail.create("a", "last", {})));
  CHECK(sync_wait(mail.subscribe("a", "last", true)));
  CHECK(sync_wait(mail.create("a", "too-many", {})).error() == base::errc::limit_exceeded);
  CHECK(sync_wait(mail.rename("a", "last", "new/parents/too")).error() == base::errc::limit_exceeded);
  CHECK(sync_wait(mail.subscribe("a", "too-many", true)).error() == base::errc::limit_exceeded);
  REQUIRE(sync_wait(mail.remove("a", "last")));
  REQUIRE(sync_wait(mail.subscribe("a", "last", false)));
  CHECK(sync_wait(mail.create("a", "instead", {})));
  CHECK(sync_wait(mail.subscribe("a", "instead", true)));
}

// Heads of format 1, and no rows F: the flags are those in the pages.
void make_older(engine& bottom) {
  transaction work;
  work.write("a/a", [](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    auto rows = now.scan(key_range::all(), {.rows = 10000, .octets = 64u << 20});
    if (!rows) return base::fail(rows.error());
    for (std::size_t i = 0; i < rows->size(); ++i) {
      const std::string key((*rows)[i].key);
      std::string value((*rows)[i].value);
      if (key[0] == keys::states) out.erase(key);
      if (key[0] != keys::head) continue;
      value[0] = 1;
      out.put(key, value);
    }
    return {};
  });
  REQUIRE(sync_wait(committer(bottom).commit(std::move(work))));
}

TEST_CASE("a mailbox of the format before there were rows of flags") {
  const base::manual_clock time{base::wall_time(std::chrono::milliseconds(1'700'000'000'000))};
  const std::shared_ptr<engine> shared = make_memory_engine(&time);
  const auto first = make_local_store(shared, crypto(), time);
  REQUIRE(sync_wait(first->mailboxes().create_account("a")));
  const auto inbox = sync_wait(first->mailboxes().find("a", "INBOX"))->id;
  for (std::uint32_t i = 1; i <= 700; ++i)
    REQUIRE(sync_wait(first->mailboxes().deliver(
        {"m", "s"}, {{.account = "a", .flags = {i % 3 == 0 ? mail::flags::seen : 0, {}}}}, {})));
  const auto before = *sync_wait(first->mailboxes().snapshot("a", inbox));
  make_older(*shared);
  const auto store = make_local_store(shared, crypto(), time), other = make_local_store(shared, crypto(), time);
  auto& mail = store->mailboxes();
  CHECK(same(*before, **sync_wait(mail.snapshot("a", inbox))));
  CHECK(same(*before, **sync_wait(other->mailboxes().snapshot("a", inbox))));

  // Pages with and without rows of flags beside each other.
  REQUIRE(sync_wait(
      mail.change_flags("a", inbox, {{5, 5}, {260, 270}}, flag_change::add, {mail::flags::deleted, {}}, std::nullopt)));
  REQUIRE(sync_wait(mail.expunge("a", inbox, mail::uid_set{{262, 262}})));
  REQUIRE(sync_wait(
      mail.change_flags("a", inbox, {{200, 600}}, flag_change::add, {mail::flags::flagged, {}}, std::nullopt)));
  const auto after = *sync_wait(mail.snapshot("a", inbox));
  testing::check_snapshot(*after);
  CHECK(after->count() == 699);
  CHECK(after->find(5)->flags == mail::flags::deleted);
  CHECK(after->find(6)->flags == mail::flags::seen);
  CHECK(after->find(264)->flags == (mail::flags::deleted | mail::flags::seen | mail::flags::flagged));
  CHECK(after->find(262) == nullptr);
  CHECK(same(*after, **sync_wait(other->mailboxes().snapshot("a", inbox))));
  CHECK(same(*after, **sync_wait(make_local_store(shared, crypto(), time)->mailboxes().snapshot("a", inbox))));
}

TEST_CASE("a reader that fell far behind loads the mailbox anew") {
  const base::manual_clock time{base::wall_time(std::chrono::milliseconds(1'700'000'000'000))};
  const std::shared_ptr<engine> shared = make_memory_engine(&time);
  const auto writer = make_local_store(shared, crypto(), time), reader = make_local_store(shared, crypto(), time);
  REQUIRE(sync_wait(writer->mailboxes().create_account("a")));
  const auto inbox = sync_wait(writer->mailboxes().find("a", "INBOX"))->id;
  for (int i = 0; i < 140; ++i) REQUIRE(sync_wait(writer->mailboxes().deliver({"m", ""}, {{.account = "a"}}, {})));
  REQUIRE(sync_wait(reader->mailboxes().snapshot("a", inbox)));
  for (std::uint32_t i = 0; i < 300; ++i)  // more than the ring of changes holds
    REQUIRE(sync_wait(writer->mailboxes().change_flags("a", inbox, {{i % 140 + 1, i % 140 + 1}}, i < 150 ? flag_change::add : flag_change::remove,
                                                       {mail::flags::seen, {}}, std::nullopt)));
  const auto fresh = sync_wait(reader->mailboxes().snapshot("a", inbox));
  REQUIRE(fresh);
  testing::check_snapshot(**fresh);
  CHECK(same(**fresh, **sync_wait(writer->mailboxes().snapshot("a", inbox))));
}

TEST_CASE("garbage: what nothing refers to goes, what is referred to stays") {
  base::manual_clock time{base::wall_time(std::chrono::milliseconds(1'700'000'000'000))};
  const auto store = make_memory_store(crypto(), time);
  auto& mail = store->mailboxes();
  REQUIRE(sync_wait(mail.create_account("a")));
  REQUIRE(sync_wait(mail.create_account("b")));
  const auto inbox = sync_wait(mail.find("a", "INBOX"))->id, trash = sync_wait(mail.find("a", "Trash"))->id;
  for (int i = 0; i < 200; ++i) {
    const std::string octets = std::to_string(i);
    REQUIRE(sync_wait(mail.deliver({octets, ""}, {{.account = "a"}}, {})));
  }
  REQUIRE(sync_wait(mail.deliver({"queued", ""}, {}, {queue_item{.recipients = {{.address = "x@y.example"}}}})));
  REQUIRE(sync_wait(mail.deliver({"b's", ""}, {{.account = "b"}}, {})));
  const auto full = *sync_wait(mail.snapshot("a", inbox));
  REQUIRE(sync_wait(mail.copy("a", inbox, {{1, 1}}, trash)));
  REQUIRE(sync_wait(mail.change_flags("a", inbox, {{1, 150}}, flag_change::add, {mail::flags::deleted, {}}, std::nullopt)));
  REQUIRE(sync_wait(mail.expunge("a", inbox, std::nullopt)));
  REQUIRE(sync_wait(mail.remove_account("b")));
  const auto grace = std::chrono::hours(1);
  auto first = store->collect_garbage(grace);
  REQUIRE(first);
  CHECK(first->freed == 0);
  time.advance(grace * 2);
  auto second = store->collect_garbage(grace);
  REQUIRE(second);
  CHECK(second->freed == 150);  // 149 of a, since one has a copy; and one of b
  CHECK(second->live == 52);
  CHECK(sync_wait(mail.read(full->find(1)->blob))->view() == "0");
  CHECK(sync_wait(mail.read(full->find(2)->blob)).error() == base::errc::not_found);
  CHECK(sync_wait(mail.read(full->find(200)->blob))->view() == "199");
  const auto items = sync_wait(store->queue().list("", 10));
  REQUIRE(items);
  REQUIRE(items->size() == 1);
  CHECK(sync_wait(store->queue().read(items->front().message))->view() == "queued");
}

}  // namespace

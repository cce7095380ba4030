#include "store/mailbox_conformance.hpp"

#include <condition_variable>
#include <mutex>
#include <set>

#include "store/mailbox_bench.hpp"

namespace briefwerk::store::testing {

void check_snapshot(const mailbox_snapshot& s) {
  std::uint32_t unseen = 0, deleted = 0, last = 0;
  std::uint64_t size = 0;
  std::size_t index = 0;
  bool ordered = true, placed = true, modseqs = true;
  for (std::size_t i = 0; i < s.pages().size(); ++i) {
    const auto& p = *s.pages()[i];
    REQUIRE(!p.empty());
    CHECK(p.size() <= mailbox_snapshot::page_size);
    CHECK(s.page_start(i) == index);
    for (const auto& e : p) {
      ordered = ordered && e.uid > last;
      last = e.uid;
      placed = placed && &s.at(index) == &e && s.find(e.uid) == &e && s.lower_bound(e.uid) == index;
      modseqs = modseqs && e.modseq <= s.highest_modseq;
      unseen += (e.flags & flags::seen) == 0 ? 1 : 0;
      deleted += (e.flags & flags::deleted) != 0 ? 1 : 0;
      size += e.size;
      ++index;
    }
  }
  CHECK(ordered);
  CHECK(placed);
  CHECK(modseqs);
  CHECK(last < s.uid_next);
  CHECK(s.count() == index);
  CHECK(s.unseen == unseen);
  CHECK(s.deleted == deleted);
  CHECK(s.total_size == size);
  CHECK(s.lower_bound(s.uid_next) == s.count());
  CHECK(s.find(s.uid_next) == nullptr);
}

void conforms_in_digests(const mailbox_factory& make) {
  bench b(make);
  const auto box = b.id("INBOX");
  for (int i = 0; i < 3; ++i) b.put("message " + std::to_string(i));
  const auto kept = [&](mailbox_id of, std::uint32_t first = 0, std::uint32_t last = UINT32_MAX) {
    std::string all;
    REQUIRE(sync_wait(b.store.visit_digests("alice", of, first, last, [&](std::uint32_t number, std::string_view octets) {
      all.append(std::to_string(number)).append("=").append(octets).append(" ");
    })));
    return all;
  };
  const auto keep = [&](mailbox_id in, std::vector<digest> digests, std::uint64_t modseq) {
    return sync_wait(b.store.keep_digests("alice", in, std::move(digests), modseq));
  };
  const auto modseq = [&](mailbox_id of) { return sync_wait(b.store.status("alice", of))->highest_modseq; };
  CHECK(kept(box).empty());
  // Nobody hears of it, since nothing changed.
  std::atomic<int> heard{0};
  const auto watch = b.store.watch("alice", [&](mailbox_id) { ++heard; });
  const auto before = b.look(box);
  REQUIRE(keep(box, {{0, "zero"}, {1, "one"}, {7, "seven"}}, modseq(box)));
  CHECK(b.look(box)->highest_modseq == before->highest_modseq);
  CHECK(kept(box) == "0=zero 1=one 7=seven ");
  CHECK(kept(box, 1, 6) == "1=one ");
  REQUIRE(keep(box, {{0, "nought"}}, modseq(box)));
  CHECK(kept(box, 0, 0) == "0=nought ");
  CHECK(heard == 0);
  CHECK(keep(box, {{0, "late"}}, modseq(box) - 1).error() == base::errc::conflict);
  CHECK(keep(box + 1000, {{0, "nowhere"}}, 1).error() == errc::no_such_mailbox);
  CHECK(kept(box) == "0=nought 1=one 7=seven ");
  // New messages and flags change nothing of them, a message that goes does.
  b.put("one more");
  REQUIRE(sync_wait(b.store.change_flags("alice", box, uids{{2, 2}}, flag_change::add, {.system = flags::deleted}, std::nullopt)));
  CHECK(kept(box) == "0=nought 1=one 7=seven ");
  REQUIRE(sync_wait(b.store.expunge("alice", box, std::nullopt)));
  CHECK(kept(box) == "1=one 7=seven ");
  REQUIRE(keep(box, {{0, "again"}}, modseq(box)));
  REQUIRE(sync_wait(b.store.move("alice", box, uids{{3, 3}}, b.id("Archive"))));
  CHECK(kept(box) == "1=one 7=seven ");
  // They go with the mailbox, and a new one of its name has none.
  const auto archive = b.id("Archive");
  REQUIRE(keep(archive, {{0, "zero"}}, modseq(archive)));
  REQUIRE(sync_wait(b.store.remove("alice", "Archive")));
  CHECK(kept(archive).empty());
  REQUIRE(sync_wait(b.store.create("alice", "Archive", std::nullopt)));
  CHECK(kept(b.id("Archive")).empty());
}

void conforms_in_summaries(const mailbox_factory& make) {
  bench b(make);
  const auto inbox = b.id("INBOX");
  for (int i = 1; i <= 20; ++i) b.put(std::to_string(i));
  b.set(inbox, {{5, 6}}, flag_change::add, {flags::deleted, {}});
  REQUIRE(sync_wait(b.store.expunge("alice", inbox, std::nullopt)));
  auto rows = sync_wait(b.store.summaries("alice", inbox, 4, 8, 100));
  REQUIRE(rows);
  REQUIRE(rows->rows.size() == 3);
  CHECK(rows->rows[0].uid == 4);
  CHECK(rows->rows[1].uid == 7);
  CHECK(rows->rows[1].summary == "summary of 7");
  CHECK(!rows->more);
  rows = sync_wait(b.store.summaries("alice", inbox, 1, UINT32_MAX, 4));
  REQUIRE(rows);
  CHECK(rows->rows.size() == 4);
  CHECK(rows->more);
  rows = sync_wait(b.store.summaries("alice", inbox, rows->rows.back().uid + 1, UINT32_MAX, 100));
  CHECK(rows->rows.size() == 14);
  CHECK(sync_wait(b.store.summaries("alice", inbox, 9, 8, 4))->rows.empty());
  // The same, one by one, until it is enough.
  std::vector<std::uint32_t> visited;
  std::string last_summary;
  std::size_t enough = 100;
  const store::summary_function note = [&](const store::stored_summary& row) {
    visited.push_back(row.uid);
    last_summary = row.summary;
    return visited.size() < enough;
  };
  const auto visit = [&](std::uint32_t first, std::uint32_t last) {
    visited.clear();
    return sync_wait(b.store.visit_summaries("alice", inbox, first, last, note));
  };
  rows = sync_wait(b.store.summaries("alice", inbox, 1, UINT32_MAX, 100));
  CHECK(visit(1, UINT32_MAX));
  REQUIRE(visited.size() == rows->rows.size());
  for (std::size_t i = 0; i < visited.size(); ++i) CHECK(visited[i] == rows->rows[i].uid);
  CHECK(last_summary == rows->rows.back().summary);
  enough = 2;
  CHECK(visit(1, UINT32_MAX));
  CHECK(visited == std::vector<std::uint32_t>{rows->rows[0].uid, rows->rows[1].uid});
  CHECK(visit(9, 8));
  CHECK(visited.empty());
  CHECK(sync_wait(b.store.visit_summaries("alice", 999, 1, 8, note)).error() == errc::no_such_mailbox);
  CHECK(sync_wait(b.store.summaries("alice", 999, 1, 8, 4)).error() == errc::no_such_mailbox);
}

void conforms_in_mailbox_watching(const mailbox_factory& make) {
  bench b(make);
  std::mutex mutex;
  std::condition_variable arrived;
  std::multiset<mailbox_id> calls;
  const auto wait = [&](mailbox_id id) {
    std::unique_lock lock(mutex);
    const bool came = arrived.wait_for(lock, std::chrono::seconds(20), [&] { return calls.contains(id); });
    calls.clear();
    return came;
  };
  const auto note = [&](mailbox_id id) {
    std::lock_guard lock(mutex);
    calls.insert(id);
    arrived.notify_all();
  };
  const auto inbox = b.id("INBOX"), trash = b.id("Trash");
  {
    const subscription first = b.store.watch("alice", note);
    const subscription second = b.store.watch("alice", [](mailbox_id) {});
    b.put("one");
    CHECK(wait(inbox));
    b.set(inbox, {{1, 1}}, flag_change::add, {flags::seen, {}});
    CHECK(wait(inbox));
    REQUIRE(sync_wait(b.store.move("alice", inbox, {{1, 1}}, trash)));
    CHECK(wait(trash));
    REQUIRE(sync_wait(b.store.create("alice", "new", std::nullopt)));
    CHECK(wait(0));
    REQUIRE(sync_wait(b.store.subscribe("alice", "new", true)));
    CHECK(wait(0));
  }
  {
    std::lock_guard lock(mutex);
    calls.clear();
  }
  b.put("two");
  std::lock_guard lock(mutex);
  CHECK(calls.empty());
}

}  // namespace briefwerk::store::testing

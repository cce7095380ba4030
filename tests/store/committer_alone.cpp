// A writer who comes alone commits on its own thread, and only while it is alone.

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>

#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/store/committer.hpp"
#include "briefwerk/store/memory_engine.hpp"
#include "store/engine/lone_writer.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::store;
using namespace std::chrono_literals;

bool begins(lone_writer& policy) {
  for (int i = 0; i < lone_writer::enough; ++i) policy.written(1, 100us, false);
  return policy.takes_next();
}

TEST_CASE("lone writer: when it begins and what ends it") {
  lone_writer fresh(500us);
  CHECK_FALSE(fresh.takes_next());
  for (int i = 0; i < lone_writer::enough - 1; ++i) fresh.written(1, 100us, false);
  CHECK_FALSE(fresh.takes_next());
  fresh.written(1, 100us, false);
  CHECK(fresh.takes_next());

  struct row {
    const char* why;
    std::size_t transactions;
    std::chrono::microseconds took;
    bool met;
    bool goes_on;
  };
  const row rows[] = {
      {"another short one", 1, 499us, false, true},
      {"a group of two", 2, 100us, false, false},
      {"somebody came meanwhile", 1, 100us, true, false},
      {"the disk is slow", 1, 500us, false, false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    lone_writer policy(500us);
    REQUIRE(begins(policy));
    policy.written(row.transactions, row.took, row.met);
    CHECK(policy.takes_next() == row.goes_on);
    CHECK(begins(policy));
  }
  lone_writer never(0us);
  CHECK_FALSE(begins(never));
}

TEST_CASE("lone writer: now and then the commit thread takes one") {
  lone_writer policy(500us);
  REQUIRE(begins(policy));
  int handed_over = 0;
  for (int i = 0; i < 10 * lone_writer::probe; ++i)
    if (!policy.takes_next()) ++handed_over;
  CHECK(handed_over == 10);
}

// Adds one to a row of the partition and tells which thread did it.
transaction add_one(std::string partition, std::thread::id& where, bool brief) {
  transaction work;
  work.brief = brief;
  work.write(std::move(partition), [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    where = std::this_thread::get_id();
    auto row = now.get("n");
    if (!row) return base::fail(row.error());
    out.put("n", std::to_string((*row ? std::stoi((*row)->str()) : 0) + 1));
    return {};
  });
  return work;
}

int count_of(const engine& e, std::string_view partition) {
  const auto row = e.get(partition, "n");
  return row && *row ? std::stoi((*row)->str()) : 0;
}

TEST_CASE("committer: who writes alone does it here, unless it may take long") {
  const auto bottom = make_memory_engine();
  base::metrics figures;
  committer c(*bottom, {.longest_on_asking_thread = 1h, .figures = &figures});
  int here = 0;
  std::thread::id where;
  for (int i = 0; i < 200; ++i) {
    REQUIRE(base::sync_wait(c.commit(add_one("a", where, true))));
    here += where == std::this_thread::get_id() ? 1 : 0;
  }
  CHECK(here >= 150);
  CHECK(here < 200);
  for (int i = 0; i < 50; ++i) {
    REQUIRE(base::sync_wait(c.commit(add_one("a", where, false))));
    CHECK(where != std::this_thread::get_id());
  }
  CHECK(count_of(*bottom, "a") == 250);
  CHECK(figures.get_counter("store.commit.transactions").value() == 250);
}

TEST_CASE("committer: an error and a blob of one that writes alone") {
  const auto bottom = make_memory_engine();
  committer c(*bottom, {.longest_on_asking_thread = 1h});
  std::thread::id where;
  for (int i = 0; i < lone_writer::enough; ++i) REQUIRE(base::sync_wait(c.commit(add_one("a", where, true))));
  transaction failing;
  failing.brief = true;
  failing.write("a", [&](const view&, std::span<const blob_ref>, batch& out) -> base::status {
    where = std::this_thread::get_id();
    out.put("n", "0");
    return base::fail(base::errc::limit_exceeded);
  });
  CHECK(base::sync_wait(c.commit(std::move(failing))).error() == base::errc::limit_exceeded);
  CHECK(where == std::this_thread::get_id());
  CHECK(count_of(*bottom, "a") == lone_writer::enough);

  blob_ref kept;
  transaction with_blob;
  with_blob.brief = true;
  with_blob.blob("octets").write("a", [&](const view&, std::span<const blob_ref> refs, batch& out) -> base::status {
    where = std::this_thread::get_id();
    kept = refs[0];
    out.put("n", "0");
    return {};
  });
  const auto done = base::sync_wait(c.commit(std::move(with_blob)));
  REQUIRE(done);
  CHECK(where == std::this_thread::get_id());
  CHECK(done->versions == std::vector<version_number>{*bottom->version("a")});
  CHECK(bottom->read_blob(kept)->view() == "octets");
}

TEST_CASE("committer: those who come while one writes alone wait their turn") {
  const auto bottom = make_memory_engine();
  std::atomic<int> failed{0};
  constexpr int rounds = 400;
  {
    committer c(*bottom, {.longest_on_asking_thread = 1h});
    std::atomic<int> inside{0}, together{0};
    const auto work = [&] {
      for (int i = 0; i < rounds; ++i) {
        transaction t;
        t.brief = i % 5 != 0;
        t.write("a", [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
          if (inside.fetch_add(1) != 0) ++together;
          auto row = now.get("n");
          out.put("n", std::to_string((row && *row ? std::stoi((*row)->str()) : 0) + 1));
          --inside;
          return {};
        });
        if (!base::sync_wait(c.commit(std::move(t)))) ++failed;
        if (i % 50 == 0) std::this_thread::sleep_for(1ms);  // so that the other one is alone at times
      }
    };
    std::thread other(work), third(work);
    work();
    other.join();
    third.join();
    CHECK(together == 0);
  }
  CHECK(failed == 0);
  CHECK(count_of(*bottom, "a") == 3 * rounds);
}

TEST_CASE("committer: what is prepared while the disk writes, by who is alone in a group only") {
  const auto bottom = make_memory_engine();
  committer c(*bottom, {.longest_on_asking_thread = 1h});
  std::thread::id where, prepared_on;
  int prepared = 0;
  const auto with_meanwhile = [&](bool brief) {
    auto work = add_one("a", where, brief);
    work.meanwhile = [&] {
      ++prepared;
      prepared_on = std::this_thread::get_id();
    };
    return work;
  };
  for (int i = 1; i <= 100; ++i) {
    REQUIRE(base::sync_wait(c.commit(with_meanwhile(i % 3 != 0))));
    CHECK(prepared == i);
    CHECK(prepared_on == where);
  }
  CHECK(count_of(*bottom, "a") == 100);

  // Nothing is written, so nothing is prepared.
  transaction failing;
  failing.meanwhile = [&] { ++prepared; };
  failing.write("a", [](const view&, std::span<const blob_ref>, batch&) -> base::status {
    return base::fail(base::errc::limit_exceeded);
  });
  CHECK_FALSE(base::sync_wait(c.commit(std::move(failing))));
  CHECK(prepared == 100);

  // Two in one group: the first holds the commit thread until both of the others wait.
  std::atomic<int> waiting{0}, done{0}, in_groups{0};
  transaction first;
  first.write("b", [&](const view&, std::span<const blob_ref>, batch& out) -> base::status {
    while (waiting < 2) std::this_thread::yield();
    out.put("n", "1");
    return {};
  });
  const auto count = [&](const base::result<receipt>& r) { done += r ? 1 : 0; };
  c.submit(std::move(first), count);
  for (int i = 0; i < 2; ++i) {
    auto work = add_one("a", where, false);
    work.meanwhile = [&] { ++in_groups; };
    c.submit(std::move(work), count);
    ++waiting;
  }
  while (done < 3) std::this_thread::yield();
  CHECK(in_groups == 0);
  CHECK(count_of(*bottom, "a") == 102);
}

}  // namespace

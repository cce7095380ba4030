#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "briefwerk/base/task.hpp"
#include "briefwerk/store/committer.hpp"
#include "briefwerk/store/memory_engine.hpp"
#include "store/engine_conformance.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::store;

testing::subject make(const base::clock* time) { return {nullptr, make_memory_engine(time)}; }

TEST_CASE("memory engine: reading and writing") { testing::conforms_in_reading_and_writing(make); }
TEST_CASE("memory engine: scans") { testing::conforms_in_scans(make); }
TEST_CASE("memory engine: versions and conflicts") { testing::conforms_in_versions_and_conflicts(make); }
TEST_CASE("memory engine: watching") { testing::conforms_in_watching(make); }
TEST_CASE("memory engine: rows asked for one by one") { testing::conforms_in_single_rows(make); }
TEST_CASE("memory engine: blobs") { testing::conforms_in_blobs(make); }
TEST_CASE("memory engine: collection") { testing::conforms_in_collection(make); }
TEST_CASE("memory engine: under a committer") { testing::conforms_under_a_committer(make); }
TEST_CASE("memory engine: many threads") { testing::conforms_with_many_threads(make); }
TEST_CASE("memory engine: against a model") {
  for (unsigned seed = 1; seed <= 5; ++seed) testing::conforms_to_a_model(make, seed);
}

change_function add_one() {
  return [](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    auto old = now.get("n");
    if (!old) return base::fail(old.error());
    out.put("n", std::to_string((*old ? std::stoi((*old)->str()) : 0) + 1));
    return {};
  };
}

// Two committers stand for two processes on the same data: conflicts are real, and functions run again.
TEST_CASE("committers of two processes meet in one partition") {
  const auto engine = make_memory_engine();
  constexpr int rounds = 300;
  std::atomic<int> failed{0};
  const auto work = [&] {
    committer c(*engine);
    for (int i = 0; i < rounds; ++i) {
      transaction t;
      t.write("a", add_one()).write("b", add_one());
      if (!base::sync_wait(c.commit(std::move(t)))) ++failed;
    }
  };
  std::thread other(work);
  work();
  other.join();
  for (const char* partition : {"a", "b"}) {
    auto v = *engine->read(partition);
    CHECK((*v->get("n"))->view() == std::to_string(2 * rounds - failed));
  }
}

TEST_CASE("committer: too much pending is refused, and what is pending is committed before the end") {
  const auto engine = make_memory_engine();
  std::atomic<bool> go{false};
  std::atomic<int> done{0}, refused{0};
  const std::string body(1000, 'b');
  {
    committer c(*engine, {.pending_transactions = 4, .pending_octets = 3000});
    const auto answer = [&](base::result<receipt> r) { r ? ++done : ++refused; };
    transaction blocks;
    blocks.write("x", [&](const view&, std::span<const blob_ref>, batch&) -> base::status {
      while (!go) std::this_thread::yield();
      return {};
    });
    c.submit(std::move(blocks), answer);
    for (int i = 0; i < 2; ++i) c.submit(std::move(transaction().blob(body).write("y", add_one())), answer);
    CHECK(refused == 0);
    c.submit(std::move(transaction().blob(body).blob(body).write("y", add_one())), answer);
    CHECK(refused == 1);  // octets
    c.submit(std::move(transaction().write("y", add_one())), answer);
    c.submit(std::move(transaction().write("y", add_one())), answer);
    CHECK(refused == 2);  // transactions
    go = true;
  }
  CHECK(done == 4);
  CHECK((*(*engine->read("y"))->get("n"))->view() == "3");
}

}  // namespace

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "briefwerk/store/committer.hpp"
#include "store/engine/rocksdb_parts.hpp"
#include "store/engine_conformance.hpp"
#include "store/engine_folder.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::store;
using testing::folder;

testing::subject make(const base::clock* time) {
  auto where = std::make_shared<folder>();
  rocksdb_options settings;
  settings.time = time;
  std::string why;
  auto opened = open_rocksdb_engine(where->path(), settings, &why);
  CAPTURE(why);
  REQUIRE(opened);
  return {where, std::move(*opened)};
}

// A build may leave RocksDB out.
template <class Part>
void run(Part part) {
  folder trial;
  const auto opened = open_rocksdb_engine(trial.path(), {}, nullptr);
  if (!opened && opened.error() == base::errc::unsupported)
    MESSAGE("built without RocksDB: left out");
  else
    part();
}

TEST_CASE("rocksdb engine: reading and writing") { run([] { testing::conforms_in_reading_and_writing(make); }); }
TEST_CASE("rocksdb engine: scans") { run([] { testing::conforms_in_scans(make); }); }
TEST_CASE("rocksdb engine: versions and conflicts") { run([] { testing::conforms_in_versions_and_conflicts(make); }); }
TEST_CASE("rocksdb engine: watching") { run([] { testing::conforms_in_watching(make); }); }
TEST_CASE("rocksdb engine: blobs") { run([] { testing::conforms_in_blobs(make); }); }
TEST_CASE("rocksdb engine: collection") { run([] { testing::conforms_in_collection(make); }); }
TEST_CASE("rocksdb engine: under a committer") { run([] { testing::conforms_under_a_committer(make); }); }
TEST_CASE("rocksdb engine: many threads") { run([] { testing::conforms_with_many_threads(make); }); }
// Commits rows to a partition, and leaves what is to be done after the answer undone.
version_number put(engine& e, std::string_view partition, int rows) {
  batch writes;
  for (int i = 0; i < rows; ++i) writes.put("k" + std::to_string(i), "v");
  auto g = e.begin(0);
  REQUIRE(g);
  change c{partition, *e.version(partition), &writes, {}, 0};
  (*g)->commit({&c, 1});
  REQUIRE(!c.outcome);
  CHECK(c.committed > c.expected);
  return c.committed;
}

std::size_t rows_of(const engine& e, std::string_view partition) { return (*e.read(partition))->scan({})->size(); }

TEST_CASE("rocksdb engine: what is committed is seen before it is settled, and afterwards") {
  run([] {
    folder where;
    auto opened = open_rocksdb_engine(where.path(), {}, nullptr);
    REQUIRE(opened);
    engine& e = **opened;
    auto old = *e.read("a");
    for (const int rows : {1, 1000}) {
      for (const auto by : {"view", "row", "settling", "the next commit", "nobody"}) {
        CAPTURE(rows);
        CAPTURE(by);
        const std::string partition = std::to_string(rows) + by;
        const auto version = put(e, partition, rows);
        CHECK(*e.version(partition) == version);
        const std::string way = by;
        if (way == "row") CHECK(e.get(partition, "k0")->has_value());
        if (way == "settling") e.settle();
        if (way == "the next commit") put(e, "other", 1);
        if (way == "nobody") rows_of(e, "other");  // of another partition: not a reason to do it
        CHECK((*e.read(partition))->version() == version);
        CHECK(rows_of(e, partition) == static_cast<std::size_t>(rows));
        e.settle();
        CHECK(rows_of(e, partition) == static_cast<std::size_t>(rows));
      }
    }
    CHECK(old->scan({})->empty());
    old.reset();
    put(e, "last", 3);
    opened->reset();
    opened = open_rocksdb_engine(where.path(), {}, nullptr);
    REQUIRE(opened);
    CHECK(rows_of(**opened, "last") == 3);
  });
}

TEST_CASE("rocksdb engine: who is told of a commit finds it") {
  run([] {
    folder where;
    auto opened = open_rocksdb_engine(where.path(), {}, nullptr);
    REQUIRE(opened);
    engine& e = **opened;
    version_number told = 0;
    const auto watching = e.watch("a", [&](const commit_notice& notice) {
      told = notice.version;
      CHECK(notice.writes != nullptr);
    });
    for (const int rows : {1, 1000}) {
      const auto version = put(e, "a", rows);
      CHECK(told == version);
      CHECK(rows_of(e, "a") == static_cast<std::size_t>(rows));
    }
  });
}

TEST_CASE("rocksdb engine: against a model") { run([] { testing::conforms_to_a_model(make, 1); }); }

}  // namespace

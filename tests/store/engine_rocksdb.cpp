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
TEST_CASE("rocksdb engine: rows asked for one by one") { run([] { testing::conforms_in_single_rows(make); }); }
TEST_CASE("rocksdb engine: blobs") { run([] { testing::conforms_in_blobs(make); }); }
TEST_CASE("rocksdb engine: collection") { run([] { testing::conforms_in_collection(make); }); }
TEST_CASE("rocksdb engine: under a committer") { run([] { testing::conforms_under_a_committer(make); }); }
TEST_CASE("rocksdb engine: many threads") { run([] { testing::conforms_with_many_threads(make); }); }
TEST_CASE("rocksdb engine: against a model") { run([] { testing::conforms_to_a_model(make, 1); }); }

}  // namespace

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

TEST_CASE("rocksdb engine: reading and writing") { testing::conforms_in_reading_and_writing(make); }
TEST_CASE("rocksdb engine: scans") { testing::conforms_in_scans(make); }
TEST_CASE("rocksdb engine: versions and conflicts") { testing::conforms_in_versions_and_conflicts(make); }
TEST_CASE("rocksdb engine: watching") { testing::conforms_in_watching(make); }
TEST_CASE("rocksdb engine: blobs") { testing::conforms_in_blobs(make); }
TEST_CASE("rocksdb engine: collection") { testing::conforms_in_collection(make); }
TEST_CASE("rocksdb engine: under a committer") { testing::conforms_under_a_committer(make); }
TEST_CASE("rocksdb engine: many threads") { testing::conforms_with_many_threads(make); }
TEST_CASE("rocksdb engine: against a model") { testing::conforms_to_a_model(make, 1); }

}  // namespace

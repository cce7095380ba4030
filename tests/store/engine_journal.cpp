// The journal by itself: what it brings back after a crash or damage, for every octet.

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "store/engine/journal.hpp"
#include "store/engine_disk.hpp"
#include "store/engine_folder.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::store;
using testing::folder;
using testing::test_disk;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}
void write_file(const std::string& path, const std::string& octets) {
  std::ofstream(path, std::ios::binary | std::ios::trunc).write(octets.data(), static_cast<std::streamsize>(octets.size()));
}

// A journal, and what was replayed when it was opened.
struct opened {
  std::unique_ptr<journal> j;
  std::vector<std::string> batches;
  std::error_code error;
  std::string why;
};

opened open(io& disk, const std::string& path, journal_options settings = {}, journal_position from = {}) {
  opened out;
  auto j = journal::open(
      disk, path, settings, from,
      [&](std::string_view payload, const journal_position&) -> base::status {
        out.batches.emplace_back(payload);
        return {};
      },
      out.why);
  if (j)
    out.j = std::move(*j);
  else
    out.error = j.error();
  return out;
}

base::result<blob_ref> add(journal& j, std::string_view blob, std::string_view batch) {
  const base::status begun = j.begin(blob.size());
  if (!begun) return base::fail(begun.error());
  encoded_blob encoded;
  encoded.parts = {blob};
  encoded.raw_size = encoded.stored_size = blob.size();
  auto ref = j.place(encoded);
  if (!ref) return ref;
  const base::status done = j.commit(batch);
  if (!done) return base::fail(done.error());
  return ref;
}

struct three_groups {
  folder where;
  std::unique_ptr<io> disk = make_system_io();
  std::string path = where.path() + "/journal", file = path + "/00000001.bwj";
  std::vector<std::uint64_t> ends;  // of the groups
  std::string image;
  three_groups() {
    auto o = open(*disk, path, {.zero_ahead_octets = 0});
    REQUIRE(o.j);
    ends.push_back(o.j->next().offset);
    for (const char* batch : {"one", "batch two", "the third batch"}) {
      REQUIRE(add(*o.j, std::string("message of ") + batch, batch));
      ends.push_back(o.j->next().offset);
    }
    o.j.reset();
    image = read_file(file);
    REQUIRE(image.size() == ends.back());
  }
};

TEST_CASE("journal: cut at every octet, it brings back the whole groups and goes on") {
  three_groups t;
  for (const bool zeros_behind : {false, true})
    for (std::size_t cut = journal_format::segment_header_size; cut <= t.image.size(); ++cut) {
      CAPTURE(cut);
      std::string torn = t.image.substr(0, cut);
      if (zeros_behind) torn.resize(t.image.size() + 5000);
      write_file(t.file, torn);
      const auto whole = static_cast<std::size_t>(
          std::count_if(t.ends.begin() + 1, t.ends.end(), [&](std::uint64_t end) { return cut + 8 > end; }));
      auto o = open(*t.disk, t.path, {.zero_ahead_octets = 0});
      CAPTURE(o.why);
      REQUIRE(o.j);
      // The last record's padding is no part of it: cut within, the group may count as whole.
      CHECK(o.batches.size() <= whole);
      CHECK(o.batches.size() + 1 >= whole);
      if (std::find(t.ends.begin(), t.ends.end(), cut) != t.ends.end()) CHECK(o.batches.size() == whole);
      const auto before = o.batches.size();
      if (cut % 16 == 0) {
        REQUIRE(add(*o.j, "later", "later"));
        o.j.reset();
        auto again = open(*t.disk, t.path);
        REQUIRE(again.j);
        CHECK(again.batches.size() == before + 1);
        CHECK(again.batches.back() == "later");
      }
    }
}

TEST_CASE("journal: damage before the last group is told with its place, and nothing is changed") {
  three_groups t;
  for (std::size_t at = 0; at < t.ends[2]; ++at) {
    CAPTURE(at);
    std::string damaged = t.image;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    write_file(t.file, damaged);
    auto o = open(*t.disk, t.path, {.zero_ahead_octets = 0});
    const bool header = at < journal_format::segment_header_size;
    if (o.j) {
      // Padding is not covered by a checksum, nothing depends on it.
      CHECK(o.batches.size() == 3);
      CHECK(t.image[at] == '\0');
      continue;
    }
    CHECK(o.error == base::errc::corrupt);
    CHECK(o.why.find("00000001.bwj") != o.why.npos);
    CHECK(o.why.find(header ? "header" : "damaged at offset ") != o.why.npos);
    CHECK(read_file(t.file) == damaged);
  }
  // In the last group damage cannot be told from a torn write.
  for (std::size_t at = t.ends[2]; at < t.ends[3]; ++at) {
    std::string damaged = t.image;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    write_file(t.file, damaged);
    auto o = open(*t.disk, t.path, {.zero_ahead_octets = 0});
    REQUIRE(o.j);
    CHECK(o.batches.size() >= 2);
  }
}

TEST_CASE("journal: a message cannot forge a record") {
  three_groups t;
  folder other;
  auto disk = make_system_io();
  {
    auto mine = open(*disk, other.path() + "/j", {.zero_ahead_octets = 0});
    std::string forged = t.image.substr(t.ends[1]);  // groups 2 and 3 with another segment's salt
    REQUIRE(add(*mine.j, forged, "one"));
  }
  const std::string file = other.path() + "/j/00000001.bwj";
  std::string all = read_file(file);
  all[70] = static_cast<char>(all[70] ^ 1);
  write_file(file, all);
  auto reopened = open(*disk, other.path() + "/j");
  REQUIRE(reopened.j);
  CHECK(reopened.batches.empty());
}

TEST_CASE("journal: an index that knows another journal cuts nothing off") {
  three_groups t;
  auto o = open(*t.disk, t.path, {}, {1, t.ends[1], 100});
  CHECK(o.error == base::errc::corrupt);
  CHECK(read_file(t.file) == t.image);
}

TEST_CASE("journal: many segments; a missing one is told") {
  folder where;
  auto disk = make_system_io();
  const std::string path = where.path() + "/journal";
  const journal_options small{.segment_octets = 4096, .zero_ahead_octets = 2048};
  std::vector<std::pair<blob_ref, std::string>> blobs;
  journal_position middle;
  {
    auto o = open(*disk, path, small);
    for (int i = 0; i < 40; ++i) {
      std::string body(500, static_cast<char>('a' + i % 26));
      auto ref = add(*o.j, body, std::to_string(i));
      REQUIRE(ref);
      blobs.emplace_back(*ref, std::move(body));
      if (i == 20) middle = o.j->next();
    }
    CHECK(o.j->next().segment > 5);
  }
  {
    auto o = open(*disk, path, small);
    REQUIRE(o.j);
    REQUIRE(o.batches.size() == 40);
    for (int i = 0; i < 40; ++i) CHECK(o.batches[static_cast<std::size_t>(i)] == std::to_string(i));
    for (const auto& [ref, body] : blobs) CHECK(o.j->read(ref)->view() == body);
  }
  {
    auto o = open(*disk, path, small, middle);
    REQUIRE(o.j);
    CHECK(o.batches.size() == 19);
  }
  const std::string second = path + "/00000002.bwj";
  std::filesystem::rename(second, second + ".away");
  CHECK(open(*disk, path, small, middle).j);  // the index has seen it; its messages alone are gone
  auto o = open(*disk, path, small);
  CHECK(o.error == base::errc::corrupt);
  CHECK(o.why == "journal segment 00000002.bwj is missing");
  std::filesystem::rename(second + ".away", second);
  std::filesystem::resize_file(second, std::filesystem::file_size(second) - 9);
  o = open(*disk, path, small);
  CHECK(o.error == base::errc::corrupt);
  CHECK(o.why.find("00000002.bwj") != o.why.npos);
  std::filesystem::remove_all(path);
  o = open(*disk, path, small, middle);
  CHECK(o.error == base::errc::corrupt);
}

TEST_CASE("journal: a damaged message is reported when it is read") {
  three_groups t;
  auto o = open(*t.disk, t.path, {.zero_ahead_octets = 0});
  auto ref = add(*o.j, "a message that will be damaged", "four");
  REQUIRE(ref);
  std::string all = read_file(t.file);
  const std::size_t at = all.find("will be damaged");
  std::fstream(t.file, std::ios::binary | std::ios::in | std::ios::out).seekp(static_cast<std::streamoff>(at)).put('W');
  CHECK(o.j->read(*ref).error() == base::errc::corrupt);
}

TEST_CASE("journal: short writes, a full disk, and a failing sync") {
  folder where;
  test_disk disk;
  const std::string path = where.path() + "/journal";
  auto o = open(disk, path, {.zero_ahead_octets = 0});
  REQUIRE(o.j);
  disk.short_writes(true);
  REQUIRE(add(*o.j, std::string(3000, 'a'), "short"));
  disk.short_writes(false);

  disk.set_space(1000);
  CHECK(add(*o.j, std::string(3000, 'b'), "does not fit").error() == base::errc::no_space);
  CHECK(!o.j->failed());
  disk.set_space(2000);
  REQUIRE(add(*o.j, "small", "fits"));
  disk.unlimited_space();
  REQUIRE(add(*o.j, std::string(3000, 'c'), "again"));

  disk.fail_syncs(true);
  CHECK(!add(*o.j, "x", "lost or not"));
  disk.fail_syncs(false);
  CHECK(o.j->failed());
  CHECK(add(*o.j, "x", "refused").error() == base::errc::unavailable);
  o.j.reset();
  std::mt19937 random(1);
  disk.come_back(random);
  o = open(disk, path);
  REQUIRE(o.j);
  REQUIRE(o.batches.size() >= 3);
  CHECK(o.batches[0] == "short");
  CHECK(o.batches[1] == "fits");
  CHECK(o.batches[2] == "again");
}

TEST_CASE("journal: a dead message becomes a hole, a dead segment goes") {
  folder where;
  auto disk = make_system_io();
  const std::string path = where.path() + "/journal";
  auto o = open(*disk, path, {.segment_octets = 100'000, .zero_ahead_octets = 0});
  std::vector<blob_ref> refs;
  for (int i = 0; i < 40; ++i) refs.push_back(*add(*o.j, std::string(10'000, static_cast<char>('a' + i % 26)), "batch"));
  std::vector<blob_ref> live;
  for (std::size_t i = 12; i < refs.size(); i += 3) live.push_back(refs[i]);
  std::sort(live.begin(), live.end());
  dead_ledger dead;
  dead.begin({});
  auto report = o.j->collect(o.j->next(), live, dead, std::chrono::milliseconds(0));
  dead.end();
  REQUIRE(report);
  CHECK(report->live == live.size());
  CHECK(report->freed == refs.size() - live.size());
  CHECK(!std::filesystem::exists(path + "/00000001.bwj"));
  CHECK(std::filesystem::exists(path + "/00000002.bwj"));
  for (const auto& ref : refs) CHECK(o.j->read(ref).has_value() == std::binary_search(live.begin(), live.end(), ref));
  const auto until = o.j->next();
  REQUIRE(add(*o.j, "later", "later"));
  o.j.reset();
  o = open(*disk, path, {.segment_octets = 100'000}, until);
  REQUIRE(o.j);
  CHECK(o.batches.size() == 1);
  for (const auto& ref : live) CHECK(o.j->read(ref));
}

TEST_CASE("journal: batches between messages that stay give their space back") {
  folder where;
  auto disk = make_system_io();
  const std::string path = where.path() + "/journal";
  auto o = open(*disk, path, {.segment_octets = 1u << 20, .zero_ahead_octets = 0});
  REQUIRE(o.j);
  const auto allocated = [&] {
    std::uint64_t octets = 0;
    for (const auto& file : std::filesystem::directory_iterator(path)) {
      struct stat info {};
      REQUIRE(::stat(file.path().c_str(), &info) == 0);
      octets += static_cast<std::uint64_t>(info.st_blocks) * 512;
    }
    return octets;
  };
  std::vector<blob_ref> live;
  for (int i = 0; i < 4; ++i) {
    live.push_back(*add(*o.j, "a message that stays", "batch"));
    for (int n = 0; n < 700; ++n) {
      REQUIRE(o.j->begin(0));
      REQUIRE(o.j->commit(std::string(1000, 'f')));
    }
  }
  REQUIRE(allocated() > 2'500'000);
  std::sort(live.begin(), live.end());
  const auto until = o.j->next();
  REQUIRE(o.j->begin(0));
  REQUIRE(o.j->commit("later"));
  dead_ledger dead;
  for (int round = 0; round < 2; ++round) {
    dead.begin({});
    auto report = o.j->collect(until, live, dead, std::chrono::hours(1));
    dead.end();
    REQUIRE(report);
    CHECK(report->live == live.size());
    CHECK(report->freed == 0);
    CHECK(allocated() < 1'100'000);  // the segment in use, and little of those before
  }
  for (const auto& ref : live) CHECK(o.j->read(ref));
  o.j.reset();
  o = open(*disk, path, {.segment_octets = 1u << 20}, until);
  REQUIRE(o.j);
  CHECK(o.batches == std::vector<std::string>{"later"});
  for (const auto& ref : live) CHECK(o.j->read(ref));
}

}  // namespace

// What happens to the whole engine when the disk does not do what it should.

#include <doctest/doctest.h>

#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "briefwerk/base/task.hpp"
#include "briefwerk/store/committer.hpp"
#include "store/engine/rocksdb_parts.hpp"
#include "store/engine_disk.hpp"
#include "store/engine_folder.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::store;
using testing::folder;
using testing::test_disk;

using rows = std::map<std::string, std::string>;

rows everything(const engine& e, std::string_view partition) {
  rows out;
  auto v = e.read(partition);
  REQUIRE(v);
  key_range rest = key_range::all();
  for (;;) {
    auto p = (*v)->scan(rest, {13, 1u << 20});
    REQUIRE(p);
    for (std::size_t i = 0; i < p->size(); ++i) out.emplace((*p)[i].key, (*p)[i].value);
    if (!p->more()) return out;
    rest = rest.after(p->back().key);
  }
}

transaction put(std::string key, std::string value) {
  transaction t;
  t.write("p", [key, value](const view&, std::span<const blob_ref>, batch& out) -> base::status {
    out.put(key, value);
    return {};
  });
  return t;
}

// What the store should hold, and messages by their reference.
struct model {
  std::map<std::string, rows> partitions;
  std::map<std::string, std::string> messages;  // by the 16 octets of the reference, which rows hold as values
};

bool same(const engine& e, const model& m) {
  for (const auto& [partition, expected] : m.partitions)
    if (everything(e, partition) != expected) return false;
  return true;
}

// One random group over several partitions. Answers whether it was acknowledged; `m` becomes what it then holds.
bool random_commit(engine& e, std::mt19937& random, model& m) {
  auto g = e.begin(1000);
  if (!g) return false;
  std::vector<std::string> messages;  // outlive the group's commit
  messages.reserve(3);
  std::map<std::string, batch> batches;
  std::vector<encoded_blob> encoded;
  for (unsigned n = 1 + random() % 3; n > 0; --n) {
    messages.emplace_back(random() % 12'000, static_cast<char>('a' + random() % 26));
    for (std::size_t i = 0; i < messages.back().size(); i += 7) messages.back()[i] = static_cast<char>(random());
    const blob_parts parts{messages.back()};
    auto blob = e.encode(parts);
    REQUIRE(blob);
    encoded.push_back(std::move(*blob));
    auto ref = (*g)->place(encoded.back());
    REQUIRE(ref);
    const std::string partition = "p" + std::to_string(random() % 3), key = "k" + std::to_string(random() % 60);
    batches[partition].put(key, std::string(ref->view()));
    m.partitions[partition][key] = std::string(ref->view());
    m.messages[std::string(ref->view())] = messages.back();
    if (random() % 3 == 0) {
      const std::string gone = "k" + std::to_string(random() % 60);
      batches[partition].erase(gone);
      m.partitions[partition].erase(gone);
    }
  }
  std::vector<change> changes;
  for (const auto& [partition, writes] : batches) changes.push_back({partition, (*e.read(partition))->version(), &writes, {}, 0});
  (*g)->commit(changes);
  for (const auto& c : changes) CHECK(c.outcome != base::errc::conflict);
  return !changes[0].outcome;
}

void check_messages(const engine& e, const model& m) {
  for (const auto& [partition, expected] : m.partitions)
    for (const auto& [key, ref] : expected) {
      auto read = e.read_blob(blob_ref::from(ref));
      REQUIRE(read);
      CHECK((read->view() == m.messages.at(ref)));
    }
}

TEST_CASE("power cuts at random points: nothing acknowledged is gone, no group is there in part") {
  int crashes = 0, kept = 0;
  for (unsigned seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    folder where;
    test_disk disk;
    rocksdb_options settings;
    settings.segment_octets = 50'000;
    settings.zero_ahead_octets = seed % 2 == 0 ? 20'000 : 0;
    settings.memtable_octets = 100'000;
    settings.replay_octets = seed % 3 == 0 ? 60'000 : 256u << 20;
    const rocksdb_parts parts{&disk, nullptr, false};
    model sure;
    std::optional<model> perhaps;
    for (int life = 0; life < 5; ++life) {
      std::string why;
      auto e = open_rocksdb_engine(where.path() + "/store", settings, parts, &why);
      CAPTURE(why);
      if (!e && e.error() == base::errc::unsupported) return;
      REQUIRE(e);
      const bool plain = same(**e, sure);
      CHECK((plain || (perhaps && same(**e, *perhaps))));
      if (!plain && perhaps) sure = *perhaps, ++kept;
      perhaps.reset();
      check_messages(**e, sure);
      disk.power_off_after(10 + random() % 150);
      while (!disk.is_off()) {
        model next = sure;
        if (random_commit(**e, random, next)) {
          sure = std::move(next);
        } else {
          perhaps = std::move(next);
          ++crashes;
          break;
        }
        if (random() % 20 == 0) {
          const auto mark = [&](const moment&, const std::function<void(const blob_ref&)>& live) -> base::status {
            for (const auto& [p, all] : sure.partitions)
              for (const auto& [key, ref] : all) live(blob_ref::from(ref));
            return {};
          };
          static_cast<void>((*e)->collect(mark, std::chrono::milliseconds(0)));
        }
      }
      e->reset();
      disk.come_back(random);
    }
  }
  MESSAGE(crashes << " commits cut off, " << kept << " of them kept");
  CHECK(crashes > 10);
}

TEST_CASE("a full disk: the error is reported, reading goes on, and so does writing when there is space") {
  folder where;
  test_disk disk;
  rocksdb_options settings;
  settings.zero_ahead_octets = 0;
  auto e = open_rocksdb_engine(where.path() + "/store", settings, {&disk, nullptr, true}, nullptr);
  if (!e && e.error() == base::errc::unsupported) return;
  REQUIRE(e);
  {
    committer c(**e);
    REQUIRE(base::sync_wait(c.commit(put("before", "1"))));
    disk.set_space(100);
    CHECK(base::sync_wait(c.commit(put("meanwhile", std::string(1000, 'x')))).error() == base::errc::no_space);
    CHECK(everything(**e, "p") == rows{{"before", "1"}});
    disk.unlimited_space();
    CHECK(base::sync_wait(c.commit(put("after", "2"))));
  }
  e->reset();
  e = open_rocksdb_engine(where.path() + "/store", settings, {&disk, nullptr, true}, nullptr);
  CHECK(everything(**e, "p") == rows{{"after", "2"}, {"before", "1"}});
}

TEST_CASE("a failed sync: no commit is believed until the store is opened again") {
  folder where;
  test_disk disk;
  auto e = open_rocksdb_engine(where.path() + "/store", {}, {&disk, nullptr, false}, nullptr);
  if (!e && e.error() == base::errc::unsupported) return;
  REQUIRE(e);
  {
    committer c(**e);
    REQUIRE(base::sync_wait(c.commit(put("a", "1"))));
    disk.fail_syncs(true);
    CHECK(!base::sync_wait(c.commit(put("b", "2"))));
    disk.fail_syncs(false);
    CHECK(base::sync_wait(c.commit(put("c", "3"))).error() == base::errc::unavailable);
    CHECK(everything(**e, "p") == rows{{"a", "1"}});
  }
  e->reset();
  e = open_rocksdb_engine(where.path() + "/store", {}, {&disk, nullptr, false}, nullptr);
  REQUIRE(e);
  CHECK(everything(**e, "p").contains("a"));
  CHECK(!everything(**e, "p").contains("c"));
  committer c(**e);
  CHECK(base::sync_wait(c.commit(put("d", "4"))));
}

// Opened after a group whose sync never came or failed; then the power goes: what was shown stays.
void check_shown_stays(unsigned seed, bool sync_fails, bool flushed) {
  CAPTURE(seed);
  CAPTURE(sync_fails);
  CAPTURE(flushed);
  std::mt19937 random(seed);
  folder where;
  test_disk disk;
  rocksdb_options settings;
  settings.zero_ahead_octets = seed % 2 == 0 ? 20'000 : 0;
  const std::string path = where.path() + "/store";
  auto e = open_rocksdb_engine(path, settings, {&disk, nullptr, false}, nullptr);
  REQUIRE(e);
  {
    committer c(**e);
    REQUIRE(base::sync_wait(c.commit(put("a", "1"))));
    if (sync_fails)
      disk.fail_syncs(true);
    else
      disk.power_off_after(1);
    CHECK(!base::sync_wait(c.commit(put("b", std::string(30'000, '2')))));
  }
  e->reset();
  disk.fail_syncs(false);
  disk.go_on();
  e = open_rocksdb_engine(path, settings, {&disk, nullptr, flushed}, nullptr);
  REQUIRE(e);
  const rows shown = everything(**e, "p");
  CHECK(shown.contains("a"));
  e->reset();
  disk.come_back(random);
  std::string why;
  e = open_rocksdb_engine(path, settings, {&disk, nullptr, false}, &why);
  CAPTURE(why);
  REQUIRE(e);
  CHECK(everything(**e, "p") == shown);
}

TEST_CASE("what an opening found and showed is on the disk, although its sync never came or failed") {
  folder where;
  const auto e = open_rocksdb_engine(where.path() + "/store", {}, nullptr);
  if (!e && e.error() == base::errc::unsupported) return;
  for (unsigned seed = 1; seed <= 8; ++seed)
    for (const bool sync_fails : {false, true})
      for (const bool flushed : {false, true}) check_shown_stays(seed, sync_fails, flushed);
}

TEST_CASE("an index that cannot be written: commits are refused, and all acknowledged ones come back") {
  folder where;
  rocksdb_options settings;
  settings.memtable_octets = 64u << 10;
  const std::string path = where.path() + "/store";
  auto e = open_rocksdb_engine(path, settings, nullptr);
  if (!e && e.error() == base::errc::unsupported) return;
  REQUIRE(e);
  std::size_t acknowledged = 0;
  {
    committer c(**e);
    std::filesystem::rename(path + "/index", path + "/index.away");
    bool refused = false;
    for (int i = 0; i < 500 && !refused; ++i) {
      const bool done = base::sync_wait(c.commit(put("k" + std::to_string(i), std::string(2000, 'v')))).has_value();
      acknowledged += done ? 1 : 0;
      refused = !done;
    }
    CHECK(refused);
    CHECK(everything(**e, "p").size() >= acknowledged);
    std::filesystem::rename(path + "/index.away", path + "/index");
  }
  e->reset();
  e = open_rocksdb_engine(path, settings, nullptr);
  REQUIRE(e);
  CHECK(everything(**e, "p").size() >= acknowledged);
  committer c(**e);
  CHECK(base::sync_wait(c.commit(put("back", "1"))));
}

// A real file system of a few megabytes, for journal and index alike.
struct small_file_system {
  folder where;
  bool mounted = ::mount("tmpfs", where.path().c_str(), "tmpfs", 0, "size=6m") == 0;
  ~small_file_system() {
    if (mounted) ::umount(where.path().c_str());
  }
};

TEST_CASE("a file system that is really full, and has space again") {
  small_file_system disk;
  if (!disk.mounted) {
    MESSAGE("not allowed to mount a small file system: left out");
    return;
  }
  const std::string path = disk.where.path() + "/store", ballast = disk.where.path() + "/ballast";
  rocksdb_options settings;
  settings.memtable_octets = 64u << 10;
  auto e = open_rocksdb_engine(path, settings, nullptr);
  if (!e && e.error() == base::errc::unsupported) return;
  REQUIRE(e);
  std::ofstream(ballast) << std::string(3u << 20, 'b');
  std::vector<std::string> acknowledged;
  {
    committer c(**e);
    std::error_code failed;
    for (int i = 0; i < 5000 && !failed; ++i) {
      const std::string key = "k" + std::to_string(10'000 + i);
      const auto done = base::sync_wait(c.commit(put(key, std::string(3000, static_cast<char>('a' + i % 26)))));
      if (done)
        acknowledged.push_back(key);
      else
        failed = done.error();
    }
    CHECK((failed == base::errc::no_space || failed == base::errc::unavailable));
    CHECK(everything(**e, "p").size() >= acknowledged.size());
    std::filesystem::remove(ballast);
    bool back = false;
    for (int i = 0; i < 1000 && !back; ++i) {
      back = base::sync_wait(c.commit(put("back", "1"))).has_value();
      if (!back) std::this_thread::sleep_for(std::chrono::milliseconds(20));  // RocksDB waits before it tries again
    }
    CHECK(back);
  }
  e->reset();
  e = open_rocksdb_engine(path, settings, nullptr);
  REQUIRE(e);
  const rows found = everything(**e, "p");
  CHECK(found.contains("back"));
  for (const auto& key : acknowledged) CHECK(found.contains(key));
}

TEST_CASE("opening: the lock, the format, a lost index") {
  folder where;
  const std::string path = where.path() + "/store";
  std::string why;
  auto e = open_rocksdb_engine(path, {}, &why);
  if (!e && e.error() == base::errc::unsupported) return;
  REQUIRE(e);
  {
    committer c(**e);
    REQUIRE(base::sync_wait(c.commit(put("k", "v"))));
  }
  const auto version = (*(*e)->read("p"))->version();
  auto second = open_rocksdb_engine(path, {}, &why);
  REQUIRE(!second);
  CHECK(second.error() == base::errc::unavailable);
  CHECK(why == path + " is in use by another process");
  e->reset();

  std::filesystem::remove_all(path + "/index");  // the journal has everything yet
  e = open_rocksdb_engine(path, {}, &why);
  CAPTURE(why);
  REQUIRE(e);
  CHECK(everything(**e, "p") == rows{{"k", "v"}});
  CHECK((*(*e)->read("p"))->version() >= version);
  e->reset();

  std::ofstream(path + "/FORMAT") << "briefwerk store, format 9\n";
  e = open_rocksdb_engine(path, {}, &why);
  CHECK(e.error() == base::errc::unsupported);
  CHECK(why.find("\"briefwerk store, format 9\"") != why.npos);
  std::filesystem::remove(path + "/FORMAT");
  e = open_rocksdb_engine(path, {}, &why);
  CHECK(e.error() == base::errc::corrupt);
  CHECK(why.find("FORMAT is missing") != why.npos);
}

}  // namespace

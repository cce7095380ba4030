#include "briefwerk/filter/state_table.hpp"

#include <doctest/doctest.h>

#include <map>
#include <thread>

#include "filter/support.hpp"

using namespace briefwerk;
using testing::memory_store;

namespace {

struct visits {
  std::int64_t expires;
  std::int64_t count;
};
using table = filter::state_table<visits>;

constexpr base::siphash_key key{1, 2};

std::int64_t visit(table& in, std::string_view who, std::int64_t now, std::int64_t lasts = 100) {
  return in.update(in.key_of({who}), now, [&](visits& v) {
    v.expires = now + lasts;
    return ++v.count;
  });
}

}  // namespace

TEST_CASE("entries count, expire and are erased") {
  table t(1000, key);
  CHECK(visit(t, "a", 0) == 1);
  CHECK(visit(t, "a", 50) == 2);
  CHECK(visit(t, "b", 50) == 1);
  CHECK(t.find(t.key_of({"a"}), 149)->count == 2);
  CHECK(!t.find(t.key_of({"a"}), 150));
  CHECK(visit(t, "a", 150) == 1);
  t.erase(t.key_of({"a"}));
  CHECK(!t.find(t.key_of({"a"}), 151));
  CHECK(t.key_of({"ab", "c"}) != t.key_of({"a", "bc"}));
  const std::string longer(600, 'x');
  CHECK(t.key_of({longer, "c"}) != t.key_of({longer, "d"}));
}

TEST_CASE("a full table forgets what expires first, and never grows") {
  table t(64 * 100, key);
  for (int i = 0; i < 3000; ++i) visit(t, "keep" + std::to_string(i), 0, 1000000);
  for (int i = 0; i < 100000; ++i) visit(t, "flood" + std::to_string(i), 10, 100);
  CHECK(t.size() <= 64 * 100);
  int kept = 0;
  for (int i = 0; i < 3000; ++i) kept += t.find(t.key_of({"keep" + std::to_string(i)}), 20) ? 1 : 0;
  CHECK(kept > 2400);  // all but those that had no other among their neighbours
}

TEST_CASE("against a map, with every kind of change") {
  table t(1u << 20, key);
  std::map<std::string, visits> model;
  std::uint64_t random = 1;
  std::int64_t now = 1;
  for (int i = 0; i < 200000; ++i) {
    random = random * 6364136223846793005 + 1442695040888963407;
    const std::string who = std::to_string((random >> 40) % 3000);
    const unsigned what = random >> 33 & 7;
    now += (random >> 20 & 15) == 0;
    visits& expected = model[who];
    if (expected.expires <= now) expected = {};
    if (what == 0) {
      t.erase(t.key_of({who}));
      expected = {};
    } else if (what < 4) {
      const auto got = t.find(t.key_of({who}), now);
      REQUIRE(got.has_value() == (expected.expires > now));
      if (got) REQUIRE(got->count == expected.count);
    } else {
      const std::int64_t lasts = static_cast<std::int64_t>(random >> 10 & 1023);
      REQUIRE(visit(t, who, now, lasts) == expected.count + 1);
      expected = lasts == 0 ? visits{} : visits{now + lasts, expected.count + 1};
    }
  }
}

TEST_CASE("threads share a table") {
  table t(10000, key);
  std::vector<std::thread> all;
  for (int n = 0; n < 4; ++n) {
    all.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) visit(t, std::to_string(i % 100), 0);
    });
  }
  for (auto& one : all) one.join();
  std::int64_t sum = 0;
  t.for_each(0, [&](const auto&, const visits& v) { sum += v.count; });
  CHECK(sum == 80000);
}

TEST_CASE("what is kept comes back, what expired or was erased does not") {
  memory_store kept;
  {
    table t(1000, key);
    visit(t, "a", 0);
    visit(t, "a", 0);
    visit(t, "gone", 0);
    visit(t, "gone and back", 0);
    visit(t, "short", 0, 10);
    t.save(kept, 0);
    t.erase(t.key_of({"gone"}));
    t.erase(t.key_of({"gone and back"}));
    visit(t, "gone and back", 0);
    t.save(kept, 0);
    const int writes = kept.writes;
    CHECK(writes == 6);
    t.save(kept, 0);
    CHECK(kept.writes == writes);  // nothing new, nothing written
  }
  table t(1000, key);
  kept.kept["a row of something else"] = "x";
  REQUIRE(t.load(kept, 50).has_value());
  CHECK(t.find(t.key_of({"a"}), 50)->count == 2);
  CHECK(t.find(t.key_of({"gone and back"}), 50)->count == 1);
  CHECK(!t.find(t.key_of({"gone"}), 50));
  CHECK(!t.find(t.key_of({"short"}), 5));
  t.save(kept, 50);
  CHECK(kept.kept.size() == 3);  // the expired row is gone from the store as well
}

TEST_CASE("rows of what a full table dropped, and of what expired, are removed") {
  memory_store kept;
  table t(64 * 16, key);
  for (int i = 0; i < 5000; ++i) {
    visit(t, std::to_string(i), 0, 100);
    if (i % 500 == 0) t.save(kept, 0);
  }
  t.save(kept, 0);
  CHECK(kept.kept.size() == t.size());
  for (int i = 0; i < 64; ++i) t.save(kept, 100);  // a stripe each time
  CHECK(kept.kept.empty());
  CHECK(t.size() == 0);
}

// Rows that are kept from one group to the next, and from one question to the next: another writer must make them void, whenever it comes.

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "briefwerk/store/committer.hpp"
#include "briefwerk/store/memory_engine.hpp"
#include "store/engine/partitions.hpp"

using namespace briefwerk;
using namespace briefwerk::store;

namespace {

// Hands everything on; before a view is made, somebody else may come first.
class interrupted_engine final : public engine {
 public:
  explicit interrupted_engine(engine& under) : under_(under) {}
  mutable std::function<void()> before_read;

  base::result<version_number> version(std::string_view partition) const override { return under_.version(partition); }
  base::result<std::unique_ptr<view>> read(std::string_view partition) const override {
    if (auto once = std::exchange(before_read, nullptr)) once();
    return under_.read(partition);
  }
  base::result<octets> read_blob(const blob_ref& ref) const override { return under_.read_blob(ref); }
  subscription watch(std::string_view partition, watch_function changed) override {
    return under_.watch(partition, std::move(changed));
  }
  base::result<encoded_blob> encode(const blob_parts& parts) const override { return under_.encode(parts); }
  base::result<std::unique_ptr<group>> begin(std::uint64_t octets) override { return under_.begin(octets); }
  bool group_is_atomic() const noexcept override { return under_.group_is_atomic(); }
  base::result<collect_report> collect(const mark_blobs& mark, std::chrono::milliseconds grace) override {
    return under_.collect(mark, grace);
  }

 private:
  engine& under_;
};

// Appends a letter to a row; also reads a row that is never there.
base::status append_letter(committer& c, char letter, bool scans = false) {
  transaction t;
  t.write("a/1", [=](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    auto none = now.get("none");
    if (!none) return base::fail(none.error());
    if (*none) return base::fail(base::errc::corrupt);
    if (scans) {
      auto rows = now.scan(key_range::all());
      if (!rows) return base::fail(rows.error());
    }
    auto row = now.get("row");
    if (!row) return base::fail(row.error());
    out.put("row", (*row ? std::string((*row)->view()) : std::string()) + letter);
    return {};
  });
  auto done = base::sync_wait(c.commit(std::move(t)));
  return done ? base::status() : base::fail(done.error());
}

std::string row_of(const engine& e) {
  auto row = e.get("a/1", "row");
  return row && *row ? std::string((*row)->view()) : std::string("nothing");
}

}  // namespace

TEST_CASE("rows kept by one committer are void after another one wrote") {
  const auto bottom = make_memory_engine();
  committer one(*bottom), other(*bottom);
  for (const char letter : std::string("abcdef")) {
    REQUIRE(append_letter(one, letter));
    REQUIRE(append_letter(one, letter));
    REQUIRE(append_letter(other, static_cast<char>(letter - 'a' + 'A')));
  }
  CHECK(row_of(*bottom) == "aaAbbBccCddDeeEffF");
}

TEST_CASE("a writer between the version and the view is seen") {
  const auto bottom = make_memory_engine();
  interrupted_engine e(*bottom);
  committer one(e), other(*bottom);
  struct row {
    const char* why;
    bool scans;
  };
  const row rows[] = {{"with nothing known, the first read makes the view", false},
                      {"with rows known, the scan makes the view", true}};
  std::string expected;
  for (const row& r : rows) {
    CAPTURE(r.why);
    e.before_read = [&] { CHECK(append_letter(other, 'x')); };
    REQUIRE(append_letter(one, 'y', r.scans));
    CHECK(!e.before_read);
    expected += "xy";
    CHECK(row_of(*bottom) == expected);
  }
}

TEST_CASE("a row erased or refused is not kept") {
  const auto bottom = make_memory_engine();
  committer one(*bottom);
  REQUIRE(append_letter(one, 'a'));
  transaction erase;
  erase.write("a/1", [](const view&, std::span<const blob_ref>, batch& out) -> base::status {
    out.erase("row");
    return {};
  });
  REQUIRE(base::sync_wait(one.commit(std::move(erase))));
  CHECK(row_of(*bottom) == "nothing");
  transaction refused;
  refused.write("a/1", [](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    CHECK(!*now.get("row"));
    out.put("row", "never");
    return {};
  });
  refused.write("a/1", [](const view&, std::span<const blob_ref>, batch&) -> base::status {
    return base::fail(base::errc::malformed);
  });
  CHECK(!base::sync_wait(one.commit(std::move(refused))));
  REQUIRE(append_letter(one, 'b'));
  CHECK(row_of(*bottom) == "b");
}

TEST_CASE("rows of partitions: what was read while another commit came is not kept") {
  partitions all(1u << 20);
  all.begin(7);
  const auto is = [&](std::string_view key, std::optional<std::string_view> value) {
    const auto [version, row] = all.find("p", key);
    return row && row->has_value() == value.has_value() && (!value || (*row)->view() == *value);
  };
  CHECK(all.version("p") == 7);
  const auto asked = all.find("p", "k").first;
  batch writes;
  writes.put("k", "new");
  writes.erase("gone");
  all.committed("p", 8, &writes);
  all.remember("p", asked, "k", octets::copy("old"));
  CHECK_FALSE(all.find("p", "k").second);
  all.remember("p", 8, "k", octets::copy("new"));
  all.remember("p", 8, "gone", std::nullopt);
  all.remember("p", 8, "k", octets::copy("again"));
  CHECK(is("k", "new"));
  CHECK(is("gone", std::nullopt));
  writes.put("gone", "back");
  writes.put("k", std::string(5000, 'x'));  // too large to be kept
  all.committed("p", 9, &writes);
  CHECK(all.version("p") == 9);
  CHECK(is("gone", "back"));
  CHECK_FALSE(all.find("p", "k").second);
  all.committed("p", 10, nullptr);
  CHECK_FALSE(all.find("p", "gone").second);
  CHECK(all.version("other") == 7);
}

TEST_CASE("rows of partitions: their memory is bounded, versions stay") {
  partitions all(100'000);
  std::size_t kept = 0, most = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string name = "p" + std::to_string(i);
    all.committed(name, static_cast<version_number>(i) + 1, nullptr);
    all.remember(name, static_cast<version_number>(i) + 1, "k", octets::copy(std::string(500, 'x')));
    kept = 0;
    if (i % 50 == 0)
      for (int k = 0; k <= i; ++k) kept += all.find("p" + std::to_string(k), "k").second ? 1 : 0;
    most = std::max(most, kept);
  }
  CHECK(most > 50);
  CHECK(most <= 200);
  CHECK(all.version("p1234") == 1235);
}

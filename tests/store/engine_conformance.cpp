#include "store/engine_conformance.hpp"

#include <doctest/doctest.h>
#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <unordered_set>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/store/committer.hpp"

namespace briefwerk::store::testing {
namespace {

std::error_code write_at(engine& e, std::string_view partition, version_number expected, const batch& writes) {
  auto g = e.begin(0);
  REQUIRE(g);
  change c{partition, expected, &writes, {}, 0};
  (*g)->commit({&c, 1});
  return c.outcome;
}

version_number version_of(engine& e, std::string_view partition) { return (*e.read(partition))->version(); }

void put(engine& e, std::string_view partition, std::string_view key, std::string value) {
  batch b;
  b.put(key, std::move(value));
  REQUIRE(!write_at(e, partition, version_of(e, partition), b));
}

std::string get(const view& v, std::string_view key) {
  auto found = v.get(key);
  REQUIRE(found);
  return *found ? (*found)->str() : "(none)";
}

std::string keys(const view& v, const key_range& range, page_limit limit = {}) {
  auto p = v.scan(range, limit);
  REQUIRE(p);
  std::string out;
  for (std::size_t i = 0; i < p->size(); ++i) out.append((*p)[i].key).append(i + 1 < p->size() ? " " : "");
  return p->more() ? out + " …" : out;
}

std::map<std::string, std::string> everything(const view& v, std::size_t page_rows) {
  std::map<std::string, std::string> out;
  key_range rest = key_range::all();
  for (;;) {
    auto p = v.scan(rest, {page_rows, 1u << 20});
    REQUIRE(p);
    for (std::size_t i = 0; i < p->size(); ++i) CHECK(out.emplace((*p)[i].key, (*p)[i].value).second);
    if (!p->more()) return out;
    rest = rest.after(p->back().key);
  }
}

std::map<std::string, std::string> walked(const view& v, const key_range& range) {
  std::map<std::string, std::string> out;
  std::string before;
  const auto done = v.walk(range, [&](std::string_view key, std::string_view value) -> base::status {
    CHECK((out.empty() || before < key));
    before = key;
    CHECK(get(v, key) == value);  // it may read meanwhile
    out.emplace(key, value);
    return {};
  });
  CHECK(done);
  return out;
}

std::string random_octets(std::mt19937& random, std::size_t size) {
  std::string s(size, '\0');
  for (char& c : s) c = static_cast<char>(random());
  return s;
}

blob_ref place(group& g, const engine& e, std::string_view octets) {
  const blob_parts parts{octets};
  auto encoded = e.encode(parts);
  REQUIRE(encoded);
  auto ref = g.place(*encoded);
  REQUIRE(ref);
  return *ref;
}

change_function add_one(std::string key) {
  return [key](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    auto old = now.get(key);
    if (!old) return base::fail(old.error());
    out.put(key, std::to_string((*old ? std::stoi((*old)->str()) : 0) + 1));
    return {};
  };
}

}  // namespace

void conforms_in_reading_and_writing(const factory& make) {
  auto s = make(nullptr);
  engine& e = *s.made;
  put(e, "a/1", "k", "one");
  auto before = *e.read("a/1");
  put(e, "a/1", "k", "two");
  put(e, "a/1", "empty", "");
  CHECK(get(*before, "k") == "one");
  CHECK(get(*before, "empty") == "(none)");
  auto after = *e.read("a/1");
  CHECK(get(*after, "k") == "two");
  CHECK(get(*after, "empty").empty());
  batch b;
  b.erase("k");
  b.erase("never there");
  REQUIRE(!write_at(e, "a/1", after->version(), b));
  CHECK(get(*after, "k") == "two");
  CHECK(get(**e.read("a/1"), "k") == "(none)");
  CHECK(get(**e.read("a/2"), "k") == "(none)");

  struct row {
    const char* why;
    std::string partition, key;
    std::size_t value;
    bool ok;
  };
  using namespace base::limits;
  const row rows[] = {
      {"binary keys are keys", "a/1", std::string("\0\xff\0", 3), 1, true},
      {"longest key", "a/1", std::string(store_key, 'k'), 1, true},
      {"key too long", "a/1", std::string(store_key + 1, 'k'), 1, false},
      {"empty key", "a/1", "", 1, false},
      {"longest partition", std::string(store_partition, 'p'), "k", 1, true},
      {"partition too long", std::string(store_partition + 1, 'p'), "k", 1, false},
      {"partition without a name", "", "k", 1, false},
      {"NUL in a partition's name", std::string("a\0b", 3), "k", 1, false},
      {"a value of a mebibyte", "a/1", "big", 1u << 20, true},
      {"value too long", "a/1", "big", store_value + 1, false},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    batch w;
    w.put(r.key, std::string(r.value, 'v'));
    auto seen = e.read(r.partition);
    const auto outcome = write_at(e, r.partition, seen ? (*seen)->version() : 0, w);
    CHECK(outcome == (r.ok ? std::error_code() : make_error_code(base::errc::malformed)));
    if (r.ok) CHECK(get(**e.read(r.partition), r.key).size() == r.value);
  }
}

void conforms_in_scans(const factory& make) {
  auto s = make(nullptr);
  engine& e = *s.made;
  for (const char* k : {"a", "m/1", "m/2", "m/3", "m0", "z\xff"}) put(e, "a/1", k, std::string("value ") + k);
  put(e, "a/10", "m/9", "the neighbour whose name begins alike");
  put(e, "a/0", "m/0", "the neighbour before");
  auto v = *e.read("a/1");
  CHECK(keys(*v, key_range::all()) == "a m/1 m/2 m/3 m0 z\xff");
  CHECK(keys(*v, key_range::prefix("m/")) == "m/1 m/2 m/3");
  CHECK(keys(*v, key_range::prefix("z\xff")) == "z\xff");
  CHECK(keys(*v, key_range::prefix("\xff")).empty());
  CHECK(keys(*v, {"m/2", "m/3"}) == "m/2");
  CHECK(keys(*v, {"m/2", ""}) == "m/2 m/3 m0 z\xff");
  CHECK(keys(*v, {"n", "m"}).empty());
  CHECK(keys(*v, key_range::all(), {2, 1000}) == "a m/1 …");
  CHECK(keys(*v, key_range::prefix("m/"), {3, 1000}) == "m/1 m/2 m/3");
  CHECK(keys(*v, key_range::all(), {100, 1}) == "a …");
  CHECK(everything(*v, 1) == everything(*v, 100));
  CHECK(walked(*v, key_range::all()) == everything(*v, 100));
  CHECK(walked(*v, {"m/2", "m0"}).size() == 2);
  CHECK(walked(*v, {"n", "m"}).empty());
  int rows = 0;
  const auto ended = v->walk(key_range::all(), [&](std::string_view, std::string_view) -> base::status {
    return ++rows < 3 ? base::status() : base::fail(base::errc::cancelled);
  });
  CHECK((!ended && ended.error() == base::errc::cancelled && rows == 3));
  CHECK(keys(**e.read("nothing"), key_range::all()).empty());
  put(e, "a/1", "b", "later");
  CHECK(keys(*v, {"", "m"}) == "a");
}

void conforms_in_versions_and_conflicts(const factory& make) {
  auto s = make(nullptr);
  engine& e = *s.made;
  batch b;
  b.put("k", "1");
  const auto first = version_of(e, "p");
  REQUIRE(!write_at(e, "p", first, b));
  CHECK(version_of(e, "p") > first);
  b.put("k", "2");
  CHECK(write_at(e, "p", first, b) == base::errc::conflict);
  CHECK(get(**e.read("p"), "k") == "1");

  if (!e.group_is_atomic()) return;
  batch other;
  other.put("k", "3");
  const auto p = version_of(e, "p"), q = version_of(e, "q");
  change changes[] = {{"p", p, &b, {}, 0}, {"q", q + 1000, &other, {}, 0}};
  {
    auto g = e.begin(0);
    REQUIRE(g);
    (*g)->commit(changes);
    CHECK(changes[0].outcome == base::errc::conflict);
    CHECK(changes[1].outcome == base::errc::conflict);
    CHECK(get(**e.read("p"), "k") == "1");
    changes[1].expected = q;
    (*g)->commit(changes);
  }
  CHECK(!changes[0].outcome);
  CHECK(changes[0].committed == version_of(e, "p"));
  CHECK(changes[1].committed == version_of(e, "q"));
  CHECK(get(**e.read("p"), "k") == "2");
  CHECK(get(**e.read("q"), "k") == "3");
}

void conforms_in_watching(const factory& make) {
  auto s = make(nullptr);
  engine& e = *s.made;
  std::atomic<version_number> first{0}, second{0};
  auto one = e.watch("p", [&](const commit_notice& n) { first = n.version; });
  {
    auto two = e.watch("p", [&](const commit_notice& n) { second = n.version; });
    put(e, "p", "k", "1");
  }
  const auto then = version_of(e, "p");
  CHECK(first == then);
  CHECK(second == then);
  put(e, "p", "k", "2");
  put(e, "other", "k", "2");
  CHECK(first == version_of(e, "p"));
  CHECK(second == then);
  auto moved = std::move(one);
  moved = subscription();
  one = subscription();
  put(e, "p", "k", "3");
  CHECK(first < version_of(e, "p"));
}

void conforms_in_blobs(const factory& make) {
  auto s = make(nullptr);
  engine& e = *s.made;
  std::mt19937 random(7);
  std::vector<std::string> bodies;
  for (const std::size_t size : {0u, 1u, 7u, 8u, 4096u, 8191u, 8192u, 8193u, 100'000u}) {
    bodies.push_back(random_octets(random, size));
    bodies.push_back(std::string(size, 'x'));
  }
  bodies.push_back(std::string(70u << 20, 'y'));  // larger than a segment
  std::vector<blob_ref> refs;
  std::vector<bool> compressed;
  for (const auto& body : bodies) {
    auto g = e.begin(body.size());
    REQUIRE(g);
    const std::string_view all = body;
    const blob_parts parts{all.substr(0, all.size() / 3), all.substr(all.size() / 3)};
    auto encoded = e.encode(parts);
    REQUIRE(encoded);
    CHECK(encoded->raw_size == body.size());
    CHECK(encoded->stored_size <= body.size());
    auto ref = (*g)->place(*encoded);
    REQUIRE(ref);
    CHECK(*ref);
    refs.push_back(*ref);
    compressed.push_back(encoded->encoding == blob_encoding::zstd);
    batch b;
    b.put("last", std::string(ref->view()));
    change c{"p", version_of(e, "p"), &b, {}, 0};
    (*g)->commit({&c, 1});
    REQUIRE(!c.outcome);
  }
  CHECK(std::unordered_set<blob_ref>(refs.begin(), refs.end()).size() == refs.size());
  for (std::size_t i = 0; i < refs.size(); ++i) {
    auto read = e.read_blob(refs[i]);
    REQUIRE(read);
    CHECK((read->view() == bodies[i]));
    for (const std::size_t most : {std::size_t{0}, std::size_t{1}, std::size_t{16384}, bodies[i].size() - bodies[i].size() / 3, bodies[i].size(), bodies[i].size() + 1}) {
      auto beginning = e.read_blob_beginning(refs[i], most);
      REQUIRE(beginning);
      CHECK(beginning->size() >= std::min(most, bodies[i].size()));
      if (compressed[i]) CHECK(beginning->size() == std::min(most, bodies[i].size()));  // no more is held
      CHECK((beginning->view() == std::string_view(bodies[i]).substr(0, beginning->size())));
    }
  }
  CHECK(!e.read_blob(blob_ref{}));
  CHECK(!e.read_blob_beginning(blob_ref{}, 10));
  blob_ref nonsense;
  nonsense.octets.fill('\x7f');
  CHECK(!e.read_blob(nonsense));
  CHECK(!e.read_blob_beginning(nonsense, 10));
}

void conforms_in_collection(const factory& make) {
  base::manual_clock time{base::wall_time{}};
  auto s = make(&time);
  engine& e = *s.made;
  std::vector<blob_ref> refs;
  std::vector<std::string> bodies;
  std::mt19937 random(3);
  for (int i = 0; i < 30; ++i) {
    bodies.push_back(random_octets(random, 10'000));
    auto g = e.begin(bodies.back().size());
    refs.push_back(place(**g, e, bodies.back()));
    batch b;
    b.put("m" + std::to_string(100 + i), std::string(refs.back().view()));
    change c{"p", version_of(e, "p"), &b, {}, 0};
    (*g)->commit({&c, 1});
    REQUIRE(!c.outcome);
  }
  const mark_blobs mark_all = [](const moment& all, const auto& mark) -> base::status {
    auto v = *all.read("p");
    for (const auto& [k, ref] : everything(*v, 7)) mark(blob_ref::from(ref));
    return {};
  };
  batch gone;
  for (int i = 0; i < 30; i += 2) gone.erase("m" + std::to_string(100 + i));
  REQUIRE(!write_at(e, "p", version_of(e, "p"), gone));

  using namespace std::chrono_literals;
  auto r = e.collect(mark_all, 1h);
  REQUIRE(r);
  CHECK(r->live == 15);
  CHECK(r->dead == 15);
  CHECK(r->freed == 0);
  time.advance(59min);
  CHECK(e.collect(mark_all, 1h)->freed == 0);
  for (const auto& ref : refs) CHECK(e.read_blob(ref));  // within the grace
  const auto failing =
      e.collect([](const moment&, const auto&) { return base::status(base::fail(base::errc::corrupt)); }, 0ms);
  CHECK(!failing);
  time.advance(2min);
  r = e.collect(mark_all, 1h);
  REQUIRE(r);
  CHECK(r->live == 15);
  CHECK(r->freed == 15);
  CHECK(r->freed_octets >= 15u * 4096);
  for (int i = 0; i < 30; ++i) {
    auto read = e.read_blob(refs[static_cast<std::size_t>(i)]);
    CHECK(read.has_value() == (i % 2 == 1));
    if (read)
      CHECK((read->view() == bodies[static_cast<std::size_t>(i)]));
    else
      CHECK(read.error() == base::errc::not_found);
  }
  r = e.collect(mark_all, 1h);
  CHECK(r->live == 15);
  CHECK(r->freed == 0);
}

void conforms_under_a_committer(const factory& make) {
  auto s = make(nullptr);
  engine& e = *s.made;
  committer c(e);
  const std::string body = "From: a\r\n\r\nhello\r\n", large(50'000, 'z');
  std::vector<blob_ref> seen;
  transaction t;
  t.blob(body).blob(large);
  t.write("a/1", [&](const view&, std::span<const blob_ref> refs, batch& out) -> base::status {
    seen.assign(refs.begin(), refs.end());
    out.put("m", std::string(refs[0].view()));
    return {};
  });
  t.write("a/2", add_one("n"));
  t.write("a/2", add_one("n"));  // sees what the step before wrote
  auto done = base::sync_wait(c.commit(std::move(t)));
  REQUIRE(done);
  REQUIRE(done->versions.size() == 3);
  CHECK(done->versions[0] == version_of(e, "a/1"));
  CHECK(done->versions[2] == version_of(e, "a/2"));
  CHECK(get(**e.read("a/2"), "n") == "2");
  REQUIRE(seen.size() == 2);
  CHECK(e.read_blob(seen[0])->view() == body);
  CHECK((e.read_blob(seen[1])->view() == large));

  // One group: a failing transaction takes back all its partitions, and only those; scans see through the overlay.
  std::atomic<int> answered{0};
  std::string scanned;
  const auto hold = [](const view&, std::span<const blob_ref>, batch&) -> base::status {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));  // what is submitted meanwhile becomes one group
    return {};
  };
  const auto count = [&](base::result<receipt> r) { answered += r ? 1 : 100; };
  transaction waits, good, bad, last;
  waits.write("x", hold);
  good.write("g", [](const view&, std::span<const blob_ref>, batch& out) -> base::status {
    out.put("b", "good");
    out.put("d", "good");
    return {};
  });
  bad.write("g", [](const view&, std::span<const blob_ref>, batch& out) -> base::status {
    out.put("a", "bad");
    out.put("b", "bad");
    out.erase("d");
    return {};
  });
  bad.write("h", [](const view&, std::span<const blob_ref>, batch&) {
    return base::status(base::fail(base::errc::no_space));
  });
  last.write("g", [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    scanned = keys(now, key_range::all(), {2, 100}) + get(now, "b");
    CHECK(walked(now, key_range::all()).size() == 2);
    out.put("c", "last");
    return {};
  });
  c.submit(std::move(waits), count);
  c.submit(std::move(good), count);
  c.submit(std::move(bad), count);
  auto end = base::sync_wait(c.commit(std::move(last)));
  CHECK(end);
  CHECK(answered == 102);
  CHECK(scanned == "b dgood");
  CHECK(keys(**e.read("g"), key_range::all()) == "b c d");
  CHECK(get(**e.read("g"), "d") == "good");
  CHECK(keys(**e.read("h"), key_range::all()).empty());

  transaction malformed;
  malformed.write("g", [](const view&, std::span<const blob_ref>, batch& out) -> base::status {
    out.put("", "no key");
    return {};
  });
  CHECK(base::sync_wait(c.commit(std::move(malformed))).error() == base::errc::malformed);
  CHECK(base::sync_wait(c.commit(transaction{})));  // nothing to write is written at once
}

// Asked for twice each time, since an engine may keep what it answered.
void conforms_in_single_rows(const factory& make) {
  auto s = make(nullptr);
  engine& e = *s.made;
  const auto row = [&](std::string_view partition, std::string_view key) {
    std::string last;
    for (int i = 0; i < 2; ++i) {
      const auto found = e.get(partition, key);
      REQUIRE(found);
      const std::string now = *found ? (*found)->str() : "(none)";
      if (i != 0) CHECK(now == last);
      last = now;
    }
    return last;
  };
  CHECK(e.get("", "k").error() == base::errc::malformed);
  CHECK(row("p", "k") == "(none)");
  put(e, "p", "other", "0");
  CHECK(row("p", "k") == "(none)");
  put(e, "p", "k", "1");
  CHECK(row("p", "k") == "1");
  CHECK(row("q", "k") == "(none)");
  put(e, "q", "k", "2");
  CHECK(row("p", "k") == "1");
  CHECK(row("q", "k") == "2");
  put(e, "p", "k", std::string(100'000, 'x'));
  CHECK(row("p", "k") == std::string(100'000, 'x'));
  put(e, "p", "k", "3");
  batch gone;
  gone.erase("k");
  CHECK(row("p", "k") == "3");
  REQUIRE(!write_at(e, "p", version_of(e, "p"), gone));
  CHECK(row("p", "k") == "(none)");
  // A write that met a conflict leaves nothing.
  batch late;
  late.put("k", "never");
  CHECK(write_at(e, "p", version_of(e, "p") - 1, late) == base::errc::conflict);
  CHECK(row("p", "k") == "(none)");

  std::atomic<int> written{0};
  std::atomic<bool> stop{false};
  put(e, "counted", "n", "0");
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t)
    readers.emplace_back([&] {
      for (int last = 0; !stop;) {
        const int before = written;
        const auto found = e.get("counted", "n");
        const int now = found && *found ? std::stoi((*found)->str()) : -1;
        CHECK(now >= std::max(before, last));
        last = now;
      }
    });
  for (int i = 1; i <= 300; ++i) {
    put(e, "counted", "n", std::to_string(i));
    written = i;
    if (i % 10 == 0) put(e, "elsewhere", "n", std::to_string(i));
  }
  stop = true;
  for (auto& t : readers) t.join();
  CHECK(row("counted", "n") == "300");
}

void conforms_with_many_threads(const factory& make) {
  auto s = make(nullptr);
  engine& e = *s.made;
  constexpr int writers = 8, rounds = 60;
  std::atomic<version_number> latest{0};
  std::atomic<bool> stop{false};
  auto watching = e.watch("shared", [&](const commit_notice& n) { latest = n.version; });
  {
    committer c(e);
    std::thread reader([&] {
      int last = 0;
      while (!stop) {
        auto v = *e.read("shared");
        const std::string n = get(*v, "n"), m = get(*v, "m");
        CHECK(n == m);  // written together, seen together
        const int now = n == "(none)" ? 0 : std::stoi(n);
        CHECK(now >= last);
        last = now;
        auto temporary = e.watch("shared", [](const commit_notice&) {});
      }
    });
    std::vector<std::thread> threads;
    for (int w = 0; w < writers; ++w)
      threads.emplace_back([&, w] {
        for (int i = 0; i < rounds; ++i) {
          const std::string body =
              "message " + std::to_string(w) + "." + std::to_string(i) + std::string(i % 7 == 0 ? 20'000 : 10, 'b');
          blob_ref ref;
          transaction t;
          t.blob(body);
          t.write("shared", add_one("n")).write("shared", add_one("m"));
          t.write("a/" + std::to_string(w),
                  [&](const view&, std::span<const blob_ref> refs, batch& out) -> base::status {
                    ref = refs[0];
                    out.put(std::to_string(i), std::string(ref.view()));
                    return {};
                  });
          CHECK(base::sync_wait(c.commit(std::move(t))));
          auto read = e.read_blob(ref);
          CHECK((read && read->view() == body));
        }
      });
    for (auto& t : threads) t.join();
    stop = true;
    reader.join();
  }
  CHECK(get(**e.read("shared"), "n") == std::to_string(writers * rounds));
  CHECK(latest == version_of(e, "shared"));
  for (int w = 0; w < writers; ++w)
    CHECK(everything(**e.read("a/" + std::to_string(w)), 9).size() == std::size_t{rounds});
}

void conforms_to_a_model(const factory& make, unsigned seed) {
  auto s = make(nullptr);
  engine& e = *s.made;
  std::mt19937 random(seed);
  std::map<std::string, std::map<std::string, std::string>> model;
  for (int i = 0; i < 300; ++i) {
    const std::string partition = "p" + std::to_string(random() % 3);
    batch b;
    for (unsigned n = random() % 5; n > 0; --n) {
      const std::string key = "k" + std::to_string(random() % 40);
      if (random() % 3 == 0) {
        b.erase(key);
        model[partition].erase(key);
      } else {
        std::string value = random_octets(random, random() % 50);
        model[partition][key] = value;
        b.put(key, std::move(value));
      }
    }
    REQUIRE(!write_at(e, partition, version_of(e, partition), b));
    if (i % 20 == 0)
      for (const auto& [name, rows] : model) CHECK(everything(**e.read(name), 1 + random() % 9) == rows);
  }
}

}  // namespace briefwerk::store::testing

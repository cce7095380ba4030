#include <doctest/doctest.h>

#include <algorithm>

#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/store/local_store.hpp"
#include "briefwerk/store/memory_engine.hpp"
#include "store/keys/key_records.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::store;
using base::sync_wait;

signing_key key(std::string domain, std::string selector, signing_key_state state = signing_key_state::pending) {
  signing_key made;
  made.domain = std::move(domain);
  made.selector = std::move(selector);
  made.kind = base::key_kind::ed25519;
  made.state = state;
  made.created = 1000;
  made.changed = 2000;
  made.ends = -1;
  made.public_key = std::string("p\0q", 3);
  made.private_key = "secret";
  return made;
}

}  // namespace

TEST_CASE("signing keys: a row is read as it was written, and no part of it is") {
  const signing_key one = key("example.org", "s1", signing_key_state::retiring);
  const std::string row = signing_keys::of(one), value = encode(one);
  const auto read = decode_signing_key(row, value);
  REQUIRE(read);
  CHECK(*read == one);
  for (std::size_t cut = 0; cut < value.size(); ++cut) {
    const std::string part = value.substr(0, cut);
    CHECK(decode_signing_key(row, part).error() == base::errc::corrupt);
  }
  CHECK(decode_signing_key(row, value + "x").error() == base::errc::corrupt);
  CHECK(decode_signing_key("Sexample.org", value).error() == base::errc::corrupt);
  for (const std::size_t at : {0u, 1u, 2u}) {  // version, kind, state
    std::string bad = value;
    bad[at] = 9;
    CHECK(decode_signing_key(row, bad).error() == base::errc::corrupt);
  }
}

TEST_CASE("signing keys: edits of one domain are atomic and leave the others alone") {
  const auto crypto = crypto::make_boringssl();
  const auto engine = std::shared_ptr(make_memory_engine());
  const auto first = make_local_store(engine, *crypto, base::system_clock());
  const auto second = make_local_store(engine, *crypto, base::system_clock());  // another process, as it were
  signing_key_store& keys = first->signing_keys();
  CHECK(sync_wait(keys.list(""))->empty());
  const auto add = [&](const std::string& domain, signing_key one) {
    return sync_wait(keys.change(domain, [&](std::vector<signing_key>& all) -> base::status {
      all.push_back(one);
      return {};
    }));
  };
  REQUIRE(add("example.org", key("", "b")));
  REQUIRE(add("example.org", key("example.org", "a")));
  REQUIRE(add("example.org.test", key("example.org.test", "c")));
  const auto before = second->signing_keys().version();
  REQUIRE(before);

  auto all = sync_wait(second->signing_keys().list("example.org"));
  REQUIRE(all);
  REQUIRE(all->size() == 2);
  CHECK(all->at(0).selector == "a");
  CHECK(all->at(1).domain == "example.org");
  CHECK(sync_wait(keys.list(""))->size() == 3);
  CHECK(sync_wait(keys.list("org"))->empty());

  // An error writes nothing.
  const auto refused = sync_wait(keys.change("example.org", [](std::vector<signing_key>& some) -> base::status {
    some.clear();
    return base::fail(base::errc::denied);
  }));
  CHECK(refused.error() == base::errc::denied);
  CHECK(sync_wait(keys.list(""))->size() == 3);

  REQUIRE(sync_wait(keys.change("example.org", [](std::vector<signing_key>& some) -> base::status {
    std::erase_if(some, [](const auto& one) { return one.selector == "a"; });
    some.front().state = signing_key_state::active;
    return {};
  })));
  all = sync_wait(second->signing_keys().list(""));
  REQUIRE(all);
  REQUIRE(all->size() == 2);
  CHECK(all->at(0).state == signing_key_state::active);
  CHECK(all->at(1) == key("example.org.test", "c"));
  CHECK(second->signing_keys().version().value() > *before);
}

#include "briefwerk/store/state_rows.hpp"

#include <map>
#include <thread>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/store/local_store.hpp"
#include "briefwerk/store/memory_engine.hpp"

#include <doctest/doctest.h>

using namespace briefwerk;

namespace {

using rows = std::map<std::string, std::string>;

rows all_of(store::state_rows& from) {
  rows out;
  REQUIRE(from.load([&](std::string_view key, std::string_view value) { out.emplace(key, value); }).has_value());
  return out;
}

struct fixture {
  std::unique_ptr<base::crypto> crypto = crypto::make_boringssl();
  std::shared_ptr<store::engine> engine = store::make_memory_engine(&base::system_clock());
  base::metrics figures;
  std::unique_ptr<store::local_store> open(std::chrono::milliseconds every) {
    store::local_store_options options;
    options.state_every = every;
    options.figures = &figures;
    return store::make_local_store(engine, *crypto, base::system_clock(), options);
  }
};

}  // namespace

TEST_CASE("state rows: what was flushed, or pending at the end, is there again") {
  fixture with;
  {
    auto store = with.open(std::chrono::hours(1));
    auto state = store->state("part");
    CHECK(all_of(*state).empty());
    state->put("a", "1");
    state->put("b", "2");
    state->put("a", "3");
    REQUIRE(state->flush().has_value());
    CHECK(all_of(*state) == rows{{"a", "3"}, {"b", "2"}});
    state->erase("b");
    state->put("c", "4");
    CHECK(all_of(*state) == rows{{"a", "3"}, {"b", "2"}});  // not yet
  }
  auto store = with.open(std::chrono::hours(1));
  CHECK(all_of(*store->state("part")) == rows{{"a", "3"}, {"c", "4"}});
  CHECK(all_of(*store->state("another")).empty());
}

TEST_CASE("state rows: written by themselves after a while") {
  fixture with;
  auto store = with.open(std::chrono::milliseconds(5));
  auto state = store->state("part");
  for (int i = 0; i < 10000; ++i) state->put("k" + std::to_string(i), "v");
  for (int i = 0; i < 1000 && all_of(*state).size() < 10000; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(all_of(*state).size() == 10000);
}

TEST_CASE("state rows: more than the limit of waiting keys are dropped and counted") {
  fixture with;
  auto store = with.open(std::chrono::hours(1));
  auto state = store->state("part");
  for (std::size_t i = 0; i < base::limits::state_pending + 3; ++i) state->put(std::to_string(i), "");
  state->put("0", "known keys are still taken");
  CHECK(with.figures.get_counter("store.state.dropped").value() == 3);
  REQUIRE(state->flush().has_value());
  CHECK(all_of(*state).at("0") == "known keys are still taken");
  CHECK(all_of(*state).size() == base::limits::state_pending);
}

TEST_CASE("state rows in memory follow the same rules") {
  const auto state = store::make_memory_state();
  state->put("a", "1");
  state->put("a", "2");
  state->put("b", "3");
  state->erase("b");
  REQUIRE(state->flush().has_value());
  CHECK(all_of(*state) == rows{{"a", "2"}});
}

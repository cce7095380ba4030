// The indexer stands aside for those who write mail, with a clock that the test moves: how long, and that it gets on all the
// same.

#include "search/right_of_way.hpp"

#include <doctest/doctest.h>

namespace {

using namespace briefwerk::search;
using namespace std::chrono_literals;
using time_point = right_of_way::time;

const time_point start = time_point() + 24h;
const time_point never = start + 1000h;
constexpr unsigned processors = 4;

// What the others use, told each 20 ms.
struct work_of_others {
  right_of_way& way;
  time_point& now;
  std::chrono::nanoseconds total{1h};  // what they used before anybody asked
  std::chrono::milliseconds rested{0}, worked{0}, longest{0}, in_a_row{0};

  work_of_others(right_of_way& way_, time_point& now_) : way(way_), now(now_) { way.others_used(now, total); }
  void go_on(std::chrono::milliseconds length, double processors_used, time_point latest = never) {
    for (const auto end = now + length; now < end;) {
      now += 20ms;
      total += std::chrono::nanoseconds(static_cast<std::int64_t>(20e6 * processors_used));
      way.others_used(now, total);
      const bool rests = way.must_rest(now, latest);
      (rests ? rested : worked) += 20ms;
      in_a_row = rests ? in_a_row + 20ms : 0ms;
      longest = std::max(longest, in_a_row);
    }
  }
};

// A commit each 5 ms, from `now` on.
void commit_for(right_of_way& way, time_point& now, std::chrono::milliseconds length) {
  for (const auto end = now + length; now < end; now += 5ms) way.committed(now);
}

TEST_CASE("right of way: only many commits in a short time count") {
  right_of_way way(processors);
  CHECK_FALSE(way.must_rest(start, never));
  auto now = start;
  for (std::uint32_t i = 0; i + 1 < right_of_way::many; ++i) way.committed(now);
  CHECK_FALSE(way.must_rest(now, never));
  way.committed(now);
  CHECK(way.must_rest(now, never));
  CHECK(way.must_rest(now + right_of_way::watched / 2, never));
  CHECK_FALSE(way.must_rest(now + right_of_way::watched, never));

  // As many, but slowly: somebody who works by hand.
  for (std::uint32_t i = 0; i < 4 * right_of_way::many; ++i) {
    now += 50ms;
    way.committed(now);
    CHECK_FALSE(way.must_rest(now, never));
  }
}

TEST_CASE("right of way: an end of the rest, and work after it, although commits never end") {
  right_of_way way(processors);
  auto now = start;
  commit_for(way, now, right_of_way::watched);
  std::chrono::milliseconds rested{0}, worked{0}, in_a_row{0}, longest{0};
  for (int i = 0; i < 60'000 / 20; ++i) {
    const bool rests = way.must_rest(now, never);
    (rests ? rested : worked) += 20ms;
    in_a_row = rests ? in_a_row + 20ms : 0ms;
    longest = std::max(longest, in_a_row);
    commit_for(way, now, 20ms);
  }
  CHECK(longest <= right_of_way::longest_rest);
  CHECK(worked >= 5 * right_of_way::least_work);
  CHECK(rested >= 10 * worked);
}

TEST_CASE("right of way: what must not wait any more does not") {
  right_of_way way(processors);
  auto now = start;
  commit_for(way, now, 1s);
  const auto latest = now + 3s;
  CHECK(way.must_rest(now, latest));
  int work = 0;
  for (; now < latest + 30s; commit_for(way, now, 20ms)) {
    const bool rests = way.must_rest(now, latest);
    CHECK(rests == (now < latest));
    work += rests ? 0 : 1;
  }
  CHECK(work > 0);
  // The next account's work, that may wait, rests again.
  CHECK(way.must_rest(now, never));
}

TEST_CASE("right of way: commits end during a rest") {
  right_of_way way(processors);
  auto now = start;
  commit_for(way, now, 1s);
  CHECK(way.must_rest(now, never));
  now += 1h;
  CHECK_FALSE(way.must_rest(now, never));
  commit_for(way, now, 1s);
  CHECK(way.must_rest(now, never));
}

TEST_CASE("right of way: an eighth of all processors' time is busy, and less is not") {
  right_of_way way(processors);
  auto now = start;
  work_of_others others(way, now);
  CHECK_FALSE(way.must_rest(now, never));  // what they used before is not of now
  others.go_on(10s, 0.9 * processors / right_of_way::busy_part);
  CHECK(others.rested == 0ms);
  others.go_on(right_of_way::watched, 1.3 * processors / right_of_way::busy_part);
  CHECK(way.must_rest(now, never));
  others.go_on(right_of_way::watched, 0);
  CHECK_FALSE(way.must_rest(now, never));
}

TEST_CASE("right of way: who works with all processors is noticed soon, and the rest ends soon after") {
  right_of_way way(processors);
  auto now = start;
  work_of_others others(way, now);
  others.go_on(10s, 0);
  others.worked = 0ms;
  others.go_on(2s, processors);
  CHECK(others.worked <= 80ms);
  others.rested = 0ms;
  others.go_on(10s, 0);
  CHECK(others.rested <= right_of_way::watched);
}

TEST_CASE("right of way: a session that never ends its work does not keep the index from growing") {
  right_of_way way(processors);
  auto now = start;
  work_of_others others(way, now);
  others.go_on(60s, 1);
  CHECK(others.longest <= right_of_way::longest_rest);
  CHECK(others.worked >= 5 * right_of_way::least_work);
  CHECK(others.rested >= 10 * others.worked);
  const auto rested = others.rested;
  others.go_on(60s, 1, now);  // due at its latest
  CHECK(others.rested == rested);
}

TEST_CASE("right of way: what was used while nobody asked counts as even over that time") {
  right_of_way way(processors);
  auto now = start;
  way.others_used(now, 1s);
  now += 10min;
  way.others_used(now, 20s);  // a thirtieth of one
  CHECK_FALSE(way.must_rest(now, never));
  now += 1s;
  way.others_used(now, 22s);  // two of four
  CHECK(way.must_rest(now, never));
  // A counter that went back is no use at all.
  now += 1s;
  way.others_used(now, 3s);
  CHECK_FALSE(way.must_rest(now, never));
}

}  // namespace

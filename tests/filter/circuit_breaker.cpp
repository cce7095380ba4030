#include "briefwerk/filter/circuit_breaker.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace briefwerk;
using namespace std::chrono_literals;
using filter::circuit_breaker;

namespace {

struct recording_log final : base::log_sink {
  bool enabled(base::log_level) const noexcept override { return true; }
  void write(base::log_level, std::string_view event, std::span<const base::log_field>) noexcept override {
    events += std::string(event) + "\n";
  }
  std::string events;
};

struct fixture {
  base::manual_clock time{base::wall_time(1h)};
  recording_log log;
  base::metrics metrics;
  circuit_breaker breaker{"rspamd", "message", {.pause = 30s, .time = &time, .log = &log, .metrics = &metrics}};

  bool may_ask() { return breaker.ask().has_value(); }
  void time_out() {
    auto one = breaker.ask();
    REQUIRE(one.has_value());
    one->timed_out();
  }
  void answer() {
    auto one = breaker.ask();
    REQUIRE(one.has_value());
    one->heard();
  }
  std::int64_t counted(const char* what) { return metrics.get_counter(std::string("filter.rspamd.") + what).value(); }
};

}  // namespace

TEST_CASE("circuit breaker: three time-outs in a row begin a pause") {
  fixture f;
  for (int i = 0; i < 10; ++i) {
    f.time_out();
    f.time_out();
    f.answer();
  }
  CHECK(f.log.events.empty());
  for (int i = 0; i < 3; ++i) f.time_out();
  CHECK(!f.may_ask());
  f.time.advance(29999ms);
  CHECK(!f.may_ask());
  CHECK(f.counted("hangs") == 1);
  CHECK(f.counted("skipped") == 2);
  CHECK(f.log.events == "filter.hangs\n");
}

TEST_CASE("circuit breaker: after the pause one question goes through") {
  fixture f;
  for (int i = 0; i < 3; ++i) f.time_out();
  f.time.advance(30s);
  {
    auto probe = f.breaker.ask();
    REQUIRE(probe.has_value());
    CHECK_MESSAGE(!f.may_ask(), "one at a time");
    f.time.advance(1h);
    CHECK(!f.may_ask());
    probe->heard();
    probe->timed_out();  // later, within the same question
  }
  CHECK_MESSAGE(!f.may_ask(), "the next pause");
  f.time.advance(30s);
  {
    auto probe = f.breaker.ask();
    REQUIRE(probe.has_value());
    probe->heard();
    probe->failed();
  }
  CHECK_MESSAGE(f.may_ask(), "what fails at once says nothing: the next one tries");
  f.answer();
  CHECK(f.log.events == "filter.hangs\nfilter.hangs\nfilter.answers_again\n");
  f.time_out();
  f.time_out();
  CHECK_MESSAGE(f.may_ask(), "counts from the beginning");
}

TEST_CASE("circuit breaker: questions from before the pause") {
  fixture f;
  std::vector<circuit_breaker::question> before;
  for (int i = 0; i < 6; ++i) before.push_back(std::move(*f.breaker.ask()));
  for (int i = 0; i < 4; ++i) {
    before.back().timed_out();
    before.pop_back();
    f.time.advance(10s);
  }
  CHECK(f.counted("hangs") == 1);
  f.time.advance(10s);  // the third began a pause, the fourth did not prolong it
  CHECK(f.may_ask());
  before.back().heard();
  before.pop_back();
  CHECK_MESSAGE(f.log.events == "filter.hangs\nfilter.answers_again\n", "a late answer is one");
}

TEST_CASE("circuit breaker: who waits in a line when the pause begins") {
  fixture f;
  auto waits = f.breaker.ask();
  REQUIRE(waits.has_value());
  CHECK(waits->is_still_asked());
  for (int i = 0; i < 3; ++i) f.time_out();
  CHECK_FALSE(waits->is_still_asked());
  CHECK(f.counted("skipped") == 1);
  f.time.advance(30s);
  CHECK_MESSAGE(!waits->is_still_asked(), "one of those before does not try whether it hangs");
  auto probe = f.breaker.ask();
  REQUIRE(probe.has_value());
  CHECK(probe->is_still_asked());
  probe->heard();
  probe.reset();
  CHECK(waits->is_still_asked());
}

TEST_CASE("circuit breaker: without a pause it is always asked") {
  fixture f;
  circuit_breaker always("x", "message", {.time_outs = 1, .pause = 0s});
  for (int i = 0; i < 5; ++i) {
    auto one = always.ask();
    REQUIRE(one.has_value());
    one->timed_out();
  }
}

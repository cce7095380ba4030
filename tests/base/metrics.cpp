#include "briefwerk/base/metrics.hpp"

#include <doctest/doctest.h>

#include <thread>

#include "briefwerk/base/clock.hpp"

using namespace briefwerk::base;
using namespace std::chrono_literals;

TEST_CASE("a quantile is right within 19 % over the whole range") {
  for (std::int64_t value = 1; value < (std::int64_t{1} << 39); value = value * 5 / 4 + 1) {
    histogram one;
    one.record(std::chrono::microseconds(value));
    const double got = static_cast<double>(one.quantile(0.5).count());
    CAPTURE(value);
    CHECK(got >= static_cast<double>(value) * 0.81);
    CHECK(got <= static_cast<double>(value) * 1.19);
  }
}

TEST_CASE("quantiles of a known distribution") {
  histogram h;
  CHECK(h.quantile(0.5) == 0us);
  CHECK(h.count() == 0);
  for (int i = 1; i <= 1000; ++i) h.record(std::chrono::milliseconds(i));
  CHECK(h.count() == 1000);
  CHECK(h.quantile(0.5).count() == doctest::Approx(500'000).epsilon(0.19));
  CHECK(h.quantile(0.99).count() == doctest::Approx(990'000).epsilon(0.19));
  CHECK(h.quantile(0.0).count() == doctest::Approx(1'000).epsilon(0.19));
  CHECK(h.quantile(1.0).count() == doctest::Approx(1'000'000).epsilon(0.19));
  CHECK(h.quantile(-3.0) == h.quantile(0.0));
  CHECK(h.quantile(7.0) == h.quantile(1.0));
}

TEST_CASE("extremes stay inside the table") {
  histogram h;
  h.record(-5s);
  h.record(0ns);
  h.record(999ns);
  CHECK(h.quantile(1.0) == 0us);
  h.record(std::chrono::nanoseconds::max());
  CHECK(h.count() == 4);
  CHECK(h.quantile(1.0) > 24h);
}

TEST_CASE("a registry gives one instrument a name and reads all, sorted") {
  metrics all;
  counter& accepted = all.get_counter("smtp.messages.accepted");
  CHECK(&accepted == &all.get_counter("smtp.messages.accepted"));
  histogram& latency = all.get_histogram("store.commit.latency");
  CHECK(&latency == &all.get_histogram("store.commit.latency"));
  all.get_counter("imap.sessions").add(3);
  all.get_counter("imap.sessions").subtract();
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) accepted.add(), latency.record(8us), all.get_counter("imap.sessions");
      });
  }
  const auto readings = all.read();
  REQUIRE(readings.size() == 3);
  CHECK(readings[0].name == "imap.sessions");
  CHECK(readings[0].value == 2);
  CHECK(readings[1].value == 4000);
  CHECK(!readings[1].is_histogram);
  CHECK(readings[2].is_histogram);
  CHECK(readings[2].value == 4000);
  CHECK(readings[2].p50 == readings[2].max);
}

TEST_CASE("clocks") {
  manual_clock hand(wall_time(1000ms));
  const auto before = hand.steady();
  hand.advance(250ms);
  CHECK(hand.now() == wall_time(1250ms));
  CHECK(hand.steady() - before == 250ms);
  CHECK(system_clock().now() > wall_time(std::chrono::sys_days(std::chrono::year(2024) / 1 / 1)));
  const auto earlier = system_clock().steady();
  CHECK(earlier <= system_clock().steady());
}

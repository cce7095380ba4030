// A loop looks for work before it sleeps only while its waits are short, and no longer than is said.

#include "net/short_wait.hpp"

#include <atomic>
#include <ctime>
#include <thread>

#include "net/support.hpp"

using namespace briefwerk;
using namespace briefwerk::net;
using namespace briefwerk::net::testing;

namespace {

short_wait after_short_ones(int count) {
  short_wait waits;
  for (int i = 0; i < count; ++i) waits.ended(10us);
  return waits;
}

TEST_CASE("short wait: when a loop begins to look, and what ends it") {
  CHECK_FALSE(short_wait().begins_looking());
  CHECK_FALSE(after_short_ones(short_wait::enough - 1).begins_looking());
  struct row {
    const char* why;
    std::chrono::nanoseconds took;
    bool goes_on;
  };
  const row rows[] = {
      {"work was there already", 0ns, true},
      {"asleep, and woken up for an answer that came at once", short_wait::is_short - 1ns, true},
      {"a client that thinks", short_wait::is_short, false},
      {"nobody is there", 1h, false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    auto waits = after_short_ones(short_wait::enough);
    CHECK(waits.begins_looking());
    waits.ended(row.took);
    CHECK(waits.begins_looking() == row.goes_on);
    for (int i = 0; i < short_wait::enough; ++i) waits.ended(10us);
    CHECK(waits.begins_looking());
  }
}

TEST_CASE("short wait: how long it looks") {
  const auto waits = after_short_ones(short_wait::enough);
  CHECK(waits.goes_on(0us, 1us));
  CHECK(waits.goes_on(short_wait::looked_for - 1ns, 1us));
  CHECK_FALSE(waits.goes_on(short_wait::looked_for, 1us));
  CHECK_FALSE(waits.goes_on(10us, short_wait::is_taken));  // another thread wanted the processor
}

std::chrono::nanoseconds processor_time() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

TEST_CASE("io_thread: work comes at once for a while, then never: it is done in its order, and the loop falls asleep") {
  io_thread loop;
  std::atomic<int> done{0};
  bool ordered = true;
  std::chrono::nanoseconds busy{0};
  std::thread server([&] { loop.run(); });
  constexpr int rounds = 2000;
  for (int i = 0; i < rounds; ++i) {
    loop.post([&, i] {
      ordered = ordered && done == i;
      ++done;
    });
    while (done != i + 1) std::this_thread::yield();
  }
  std::atomic<bool> asked{false};
  loop.post([&] {
    busy = processor_time();
    asked = true;
  });
  while (!asked) std::this_thread::yield();
  std::this_thread::sleep_for(300ms);
  loop.post([&] { busy = processor_time() - busy; });
  loop.post([&] { loop.stop(); });
  server.join();
  CHECK(ordered);
  CHECK(done == rounds);
  CHECK(busy < 50ms);
}

TEST_CASE("io_thread: a loop that looks for work is stopped, and runs again") {
  io_thread loop;
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> done{0};
    std::thread server([&] { loop.run(); });
    for (int i = 0; i < 2 * short_wait::enough; ++i) {
      loop.post([&] { ++done; });
      while (done != i + 1) std::this_thread::yield();
    }
    loop.stop();
    server.join();
  }
}

}  // namespace

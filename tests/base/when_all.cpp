#include "briefwerk/base/when_all.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <thread>

using namespace briefwerk;
using namespace std::chrono_literals;

namespace {

base::task<int> after(std::chrono::milliseconds delay, int value) {
  base::executor* const here = co_await base::this_executor();
  std::unique_ptr<base::timer> timer;
  (void)co_await base::wait_for<base::status>([&](base::completion<base::status> done) {
    timer = here->start_timer(delay, [done = std::move(done)]() mutable { done(base::status()); });
  });
  if (value < 0) throw std::runtime_error("negative");
  co_return value;
}

base::task<int> at_once(int value) { co_return value; }

}  // namespace

TEST_CASE("when_all answers in the order of the work, whoever ends first") {
  std::vector<base::task<int>> work;
  work.push_back(after(20ms, 1));
  work.push_back(at_once(2));
  work.push_back(after(1ms, 3));
  CHECK(base::sync_wait(base::when_all(std::move(work))) == std::vector<int>{1, 2, 3});
  CHECK(base::sync_wait(base::when_all(std::vector<base::task<int>>())).empty());
}

TEST_CASE("when_all throws after all have ended") {
  std::vector<base::task<int>> work;
  work.push_back(after(1ms, -1));
  work.push_back(after(20ms, 1));
  CHECK_THROWS_AS(base::sync_wait(base::when_all(std::move(work))), std::runtime_error);
}

TEST_CASE("a timer that is destroyed does not run; answers from another thread arrive between timers") {
  base::blocking_executor loop;
  std::atomic<bool> done = false;
  int fired = 0;
  auto dropped = loop.start_timer(1ms, [&] { fired += 100; });
  auto kept = loop.start_timer(30ms, [&] {
    ++fired;
    done = true;
  });
  auto long_one = loop.start_timer(1h, [] {});
  dropped.reset();
  std::thread other([&] { loop.post([&] { fired += 10; }); });
  loop.run_until(done);
  other.join();
  CHECK(fired == 11);
}

#include "briefwerk/base/task.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace briefwerk::base;

namespace {

task<int> answer(int value) { co_return value; }

task<long> sum_of_many(int count) {
  long total = 0;
  for (int i = 0; i < count; ++i) total += co_await answer(1);
  co_return total;
}

task<result<int>> from_other_thread(std::vector<std::jthread>& threads, int value) {
  co_return co_await wait_for<result<int>>([&](completion<result<int>> done) {
    threads.emplace_back([value, done = std::move(done)]() mutable { done(value); });
  });
}

}  // namespace

TEST_CASE("a million answers that need no waiting do not grow the stack") {
  CHECK(sync_wait(sum_of_many(1'000'000)) == 1'000'000);
}

TEST_CASE("an answer from another thread resumes on the waiting thread") {
  std::vector<std::jthread> threads;
  auto body = [](std::vector<std::jthread>& pool) -> task<bool> {
    const auto before = std::this_thread::get_id();
    for (int i = 0; i < 200; ++i) {
      auto got = co_await from_other_thread(pool, i);
      if (!got || *got != i || std::this_thread::get_id() != before) co_return false;
    }
    co_return true;
  };
  CHECK(sync_wait(body(threads)));
}

TEST_CASE("a completion that is dropped answers cancelled") {
  auto body = []() -> task<result<int>> {
    co_return co_await wait_for<result<int>>([](completion<result<int>>) {});
  };
  CHECK(sync_wait(body()).error() == errc::cancelled);
}

TEST_CASE("an exception reaches whoever awaits") {
  auto body = []() -> task<int> { throw std::runtime_error("broken invariant"); co_return 0; };
  CHECK_THROWS_AS(sync_wait(body()), std::runtime_error);
}

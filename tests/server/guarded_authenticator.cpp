#include "briefwerk/server/guarded_authenticator.hpp"

#include <deque>

#include "briefwerk/net/io_threads.hpp"
#include "server/smtp_support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using server::auth_result;
using kind = auth_result::kind;

namespace {

// Knows one password, counts what it is asked, and can be made to wait.
class one_password final : public server::authenticator {
 public:
  std::vector<std::string> mechanisms(bool) const override { return {"PLAIN", "LOGIN", "SCRAM-SHA-256"}; }

  std::unique_ptr<server::auth_exchange> start(std::string_view mechanism, const server::auth_origin&) override {
    struct exchange final : server::auth_exchange {
      exchange(one_password& by, std::size_t messages) : all(by), left(messages) {}
      base::task<auth_result> respond(std::optional<std::string_view> message) override {
        if (message && --left == 0) {
          co_return co_await all.answer(std::string(message->substr(message->rfind('\0') + 1)));
        }
        co_return auth_result{.what = kind::challenge};
      }
      one_password& all;
      std::size_t left;
    };
    if (mechanism == "NONE") return nullptr;
    return std::make_unique<exchange>(*this, mechanism == "PLAIN" ? 1 : 2);
  }

  base::task<auth_result> check_password(std::string_view, std::string_view password,
                                         const server::auth_origin&) override {
    co_return co_await answer(std::string(password));
  }

  base::task<auth_result> answer(std::string password) {
    ++asked;
    if (waits) {
      (void)co_await base::wait_for<base::status>(
          [this](base::completion<base::status> done) { waiting.push_back(std::move(done)); });
    }
    if (password == "down") co_return auth_result{.what = kind::unavailable};
    if (password != "right") co_return auth_result{};
    co_return auth_result{.what = kind::success, .account = "1", .login = "alice@example.org"};
  }

  int asked = 0;
  bool waits = false;
  std::deque<base::completion<base::status>> waiting;
};

struct fixture {
  explicit fixture(server::guarded_authenticator_options how = {}) : logins(inner, guard, how, &metrics) {}

  server::auth_origin origin(std::string_view from) const {
    return {.peer = {base::ip_address::parse(from).value(), 1}, .service = "imap", .session_id = "s"};
  }
  kind check(std::string_view from, std::string_view password, std::string_view login = "alice@example.org") {
    return base::sync_wait(logins.check_password(login, password, origin(from))).what;
  }
  kind exchange(std::string_view mechanism, std::string_view from, std::vector<std::string> messages) {
    const auto where = origin(from);
    const auto one = logins.start(mechanism, where);
    REQUIRE(one != nullptr);
    kind last = kind::challenge;
    for (const std::string& each : messages) last = base::sync_wait(one->respond(each)).what;
    return last;
  }
  double failures(std::string_view from) const { return guard.explain(base::ip_address::parse(from).value()).failures; }

  base::manual_clock clock{base::wall_time(1700000000s)};
  base::metrics metrics;
  server::login_guard guard{the_crypto(), clock, {.secret = std::string(16, 's'), .metrics = &metrics}};
  one_password inner;
  server::guarded_authenticator logins;
};

void settle(base::blocking_executor& loop) {
  std::atomic<bool> done = false;
  for (int i = 0; i < 5; ++i) {
    done = false;
    loop.post([&] { done = true; });
    loop.run_until(done);
  }
}

}  // namespace

TEST_CASE("guarded logins: a banned address is told so, and costs no check") {
  fixture with;
  for (int i = 0; i < 5; ++i) CHECK(with.check("192.0.2.1", "wrong" + std::to_string(i)) == kind::refused);
  CHECK(with.inner.asked == 5);
  CHECK(with.check("192.0.2.1", "right") == kind::banned);
  CHECK(with.exchange("PLAIN", "192.0.2.1", {std::string("\0alice\0right", 12)}) == kind::banned);
  CHECK(with.exchange("SCRAM-SHA-256", "192.0.2.1", {"n,,n=alice"}) == kind::banned);
  CHECK(with.inner.asked == 5);
  CHECK(with.check("192.0.2.2", "right") == kind::success);
  with.clock.advance(10min);
  CHECK(with.check("192.0.2.1", "right") == kind::success);
}

TEST_CASE("guarded logins: every mechanism counts, and where the password shows a repeated one counts once") {
  fixture with;
  CHECK(with.exchange("PLAIN", "192.0.2.1", {std::string("\0alice@example.org\0old", 22)}) == kind::refused);
  CHECK(with.exchange("PLAIN", "192.0.2.1", {std::string("\0alice@example.org\0old", 22)}) == kind::refused);
  CHECK(with.exchange("LOGIN", "192.0.2.1", {"alice@example.org", "old"}) == kind::refused);
  CHECK(with.check("192.0.2.1", "old") == kind::refused);
  CHECK(with.failures("192.0.2.1") == doctest::Approx(1));
  CHECK(with.exchange("SCRAM-SHA-256", "192.0.2.1", {"n,,n=alice", "c=biws"}) == kind::refused);
  CHECK(with.exchange("SCRAM-SHA-256", "192.0.2.1", {"n,,n=alice", "c=biws"}) == kind::refused);
  CHECK(with.failures("192.0.2.1") == doctest::Approx(3));
  CHECK(with.check("192.0.2.1", "down") == kind::unavailable);
  CHECK(with.failures("192.0.2.1") == doctest::Approx(3));
  CHECK(with.logins.start("NONE", with.origin("192.0.2.1")) == nullptr);
  CHECK(with.check("192.0.2.1", "right") == kind::success);
  CHECK(with.guard.is_known(base::ip_address::parse("192.0.2.1").value(), "alice@example.org"));
}

TEST_CASE("guarded logins: strangers wait in a bounded line, who is known goes past it") {
  fixture with({.strangers_at_once = 1, .strangers_waiting = 2, .waiting_per_address = 1});
  CHECK(with.check("198.51.100.1", "right") == kind::success);
  with.inner.asked = 0;
  with.inner.waits = true;
  base::blocking_executor loop;
  std::map<std::string, kind> answers;
  const auto origins = std::make_unique<std::map<std::string, server::auth_origin>>();
  const auto ask = [&](const std::string& from, const std::string& name) {
    auto run = [](fixture& all, const server::auth_origin& origin, kind& into) -> base::task<void> {
      const auto result = co_await all.logins.check_password("alice@example.org", "wrong", origin);
      into = result.what;
    };
    const auto& origin = origins->emplace(name, with.origin(from)).first->second;
    answers[name] = kind::challenge;  // none yet
    base::spawn_here(loop, run(with, origin, answers[name]));
  };
  ask("192.0.2.1", "first");
  ask("192.0.2.2", "second");
  ask("192.0.2.2", "one too many of its address");
  ask("192.0.2.3", "third");
  ask("192.0.2.4", "one too many");
  ask("198.51.100.1", "known");
  settle(loop);
  CHECK(with.inner.asked == 2);  // the first, and the known one
  CHECK(answers["one too many of its address"] == kind::unavailable);
  CHECK(answers["one too many"] == kind::unavailable);
  CHECK(with.metrics.get_counter("guard.checks.busy").value() == 2);
  CHECK(answers["second"] == kind::challenge);
  while (!with.inner.waiting.empty()) {
    auto next = std::move(with.inner.waiting.front());
    with.inner.waiting.pop_front();
    next({});
    settle(loop);
  }
  CHECK(with.inner.asked == 4);
  for (const char* name : {"first", "second", "third", "known"}) CHECK(answers[name] == kind::refused);
}

TEST_CASE("guarded logins: a line full of guesses has room for a stranger who did not guess") {
  fixture with({.strangers_at_once = 1, .strangers_waiting = 4, .waiting_per_address = 4});
  for (int i = 0; i < 6; ++i) CHECK(with.check("203.0.113." + std::to_string(i), "wrong") == kind::refused);
  with.inner.asked = 0;
  with.inner.waits = true;
  base::blocking_executor loop;
  std::string order;
  std::map<std::string, kind> answers;
  const auto origins = std::make_unique<std::map<std::string, server::auth_origin>>();
  const auto ask = [&](const std::string& from, const std::string& name, const char* password) {
    auto run = [](fixture& all, const server::auth_origin& origin, const char* said, std::string who, std::string& ended,
                  kind& into) -> base::task<void> {
      const auto result = co_await all.logins.check_password(who + "@example.org", said, origin);
      ended += who + ' ';
      into = result.what;
    };
    const auto& origin = origins->emplace(name, with.origin(from)).first->second;
    answers[name] = kind::challenge;  // none yet
    base::spawn_here(loop, run(with, origin, password, name, order, answers[name]));
  };
  for (int i = 0; i < 6; ++i) ask("203.0.113." + std::to_string(i), "g" + std::to_string(i), "guess");
  settle(loop);
  CHECK(order == "g5 ");  // one is checked, four wait
  CHECK(answers["g5"] == kind::unavailable);
  ask("192.0.2.1", "owner", "right");
  settle(loop);
  CHECK_MESSAGE(order == "g5 g4 ", "the last of the guesses had to go");
  CHECK(answers["g4"] == kind::unavailable);
  while (!with.inner.waiting.empty()) {
    auto next = std::move(with.inner.waiting.front());
    with.inner.waiting.pop_front();
    next({});
    settle(loop);
  }
  CHECK_MESSAGE(order == "g5 g4 g0 owner g1 g2 g3 ", "and the owner is next");
  CHECK(answers["owner"] == kind::success);
  CHECK(with.inner.asked == 5);
  CHECK(with.metrics.get_counter("guard.checks.busy").value() == 2);
}

TEST_CASE("guarded logins: a slowed answer comes later, on the session's loop; a right one at once") {
  fixture with;
  for (int i = 0; i < 10; ++i) CHECK(with.check("192.0.2." + std::to_string(i + 1), "wrong") == kind::refused);
  net::io_thread loop;
  const auto timed = [&](std::string_view password) {
    auto run = [](fixture& all, std::string_view with_password) -> base::task<base::result<std::chrono::milliseconds>> {
      const auto begun = std::chrono::steady_clock::now();
      const auto origin = all.origin("192.0.2.99");
      (void)co_await all.logins.check_password("alice@example.org", with_password, origin);
      co_return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
    };
    return net::testing::run(loop, run(with, password)).value();
  };
  CHECK(timed("wrong") >= 1000ms);
  CHECK(with.metrics.get_counter("guard.answers.delayed").value() == 1);
  (void)timed("right");
  CHECK(with.metrics.get_counter("guard.answers.delayed").value() == 1);
}

#include "briefwerk/server/login_guard.hpp"

#include <thread>

#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/store/local_store.hpp"
#include "briefwerk/store/memory_engine.hpp"

#include <doctest/doctest.h>

using namespace briefwerk;
using namespace std::chrono_literals;

namespace {

base::ip_address ip(std::string_view text) { return base::ip_address::parse(text).value(); }
base::ip_network network(std::string_view text) { return base::ip_network::parse(text).value(); }

struct fixture {
  fixture() {
    options.secret = "sixteen octets at least";
    options.metrics = &metrics;
  }
  server::login_guard& guard() {
    if (!guard_) guard_ = std::make_unique<server::login_guard>(*crypto, clock, options);
    return *guard_;
  }
  std::chrono::milliseconds fail(std::string_view from, std::string_view login = "alice@example.org",
                                 std::optional<std::string_view> password = std::nullopt) {
    return guard().failed(
        {.peer = ip(from), .login = login, .password = password, .service = "imap", .session_id = "s"});
  }
  void succeed(std::string_view from, std::string_view login = "alice@example.org") {
    guard().succeeded({.peer = ip(from), .login = login, .service = "imap", .session_id = "s"}, login);
  }
  std::string refusal(std::string_view from) {
    const auto said = guard().turn_away(ip(from));
    return said ? said->text + (said->temporary ? "" : " (for good)") : std::string();
  }
  bool banned(std::string_view from) { return guard().find_ban(ip(from)).has_value(); }
  // Failures until the ban; 0: it never came.
  int failures_to_ban(std::string_view from) {
    for (int i = 1; i <= 50; ++i) {
      fail(from, "name" + std::to_string(i));
      if (banned(from)) return i;
    }
    return 0;
  }
  std::chrono::milliseconds left(std::string_view from) { return *guard().find_ban(ip(from))->until - clock.now(); }
  std::int64_t counter(std::string_view name) { return metrics.get_counter(name).value(); }

  std::unique_ptr<base::crypto> crypto = crypto::make_boringssl();
  base::manual_clock clock{base::wall_time(std::chrono::sys_days(std::chrono::year(2026) / 3 / 1))};
  base::metrics metrics;
  server::login_guard_options options;
  std::unique_ptr<server::login_guard> guard_;
};

}  // namespace

TEST_CASE("guard: the fifth failure bans the address, and no other") {
  fixture with;
  CHECK(with.failures_to_ban("192.0.2.1") == 5);
  CHECK_FALSE(with.banned("192.0.2.2"));
  const auto ban = with.guard().find_ban(ip("192.0.2.1"));
  CHECK(ban->network == network("192.0.2.1"));
  CHECK_FALSE(ban->manual);
  CHECK(ban->reason == "failed logins, the last as name5");
  CHECK(with.refusal("192.0.2.1") == "Too many failed logins from 192.0.2.1: try again in 10 minutes");
  CHECK(with.refusal("192.0.2.2") == "");
  CHECK(with.counter("guard.failures") == 5);
  CHECK(with.counter("guard.bans") == 1);
  CHECK(with.counter("guard.banned") == 1);
  CHECK(with.counter("guard.connections.refused") == 1);
}

TEST_CASE("guard: bans end, grow with repetition, and are forgotten after good behaviour") {
  fixture with;
  const std::chrono::milliseconds lengths[] = {10min, 40min, 160min, 640min, 24h, 24h};
  for (const auto expected : lengths) {
    CHECK(with.failures_to_ban("192.0.2.1") == 5);
    CHECK(with.left("192.0.2.1") == expected);
    with.clock.advance(expected - 1ms);
    CHECK(with.banned("192.0.2.1"));
    with.clock.advance(1ms);
    CHECK_FALSE(with.banned("192.0.2.1"));
  }
  CHECK(with.counter("guard.banned") == 6);
  with.guard().sweep();
  CHECK(with.counter("guard.banned") == 5);  // one address: the ends before were not noticed
  with.clock.advance(with.options.repetition + 1s);
  CHECK(with.failures_to_ban("192.0.2.1") == 5);
  CHECK(with.left("192.0.2.1") == 10min);
}

TEST_CASE("guard: failures are forgiven one after the other") {
  fixture with;
  for (int i = 0; i < 4; ++i) with.fail("192.0.2.1");
  with.clock.advance(4min);  // two of four
  for (int i = 0; i < 2; ++i) with.fail("192.0.2.1");
  CHECK_FALSE(with.banned("192.0.2.1"));
  with.fail("192.0.2.1");
  CHECK(with.banned("192.0.2.1"));
  // Slowly enough, somebody may fail for ever.
  for (int i = 0; i < 100; ++i) {
    with.fail("192.0.2.9");
    with.clock.advance(121s);
  }
  CHECK_FALSE(with.banned("192.0.2.9"));
}

TEST_CASE("guard: IPv6 counts by /64, and many failing /64s ban their /48") {
  fixture with;
  for (int i = 1; i <= 5; ++i) with.fail("2001:db8:1:1::" + std::to_string(i));
  CHECK(with.banned("2001:db8:1:1::ffff"));
  CHECK_FALSE(with.banned("2001:db8:1:2::1"));
  CHECK(with.guard().find_ban(ip("2001:db8:1:1::7"))->network == network("2001:db8:1:1::/64"));
  for (int i = 2; i <= 7; ++i) with.fail("2001:db8:1:" + std::to_string(i) + "::1");
  CHECK_FALSE(with.banned("2001:db8:1:ff::1"));
  for (int i = 0; i < 3; ++i) with.fail("2001:db8:1:7::1");  // the same /64 counts once
  CHECK_FALSE(with.banned("2001:db8:1:ff::1"));
  with.fail("2001:db8:1:8::1");
  CHECK(with.banned("2001:db8:1:ff::1"));
  CHECK(with.guard().find_ban(ip("2001:db8:1:ff::1"))->network == network("2001:db8:1::/48"));
  CHECK_FALSE(with.banned("2001:db8:2::1"));
  CHECK(with.guard().turn_away(ip("2001:db8:1:ff::1")).has_value());
}

// The guard knows no protocols: a service is a name that its front gives, for log and explanation.
TEST_CASE("guard: failures of all services count together, and a ban holds for all") {
  const std::string_view services[] = {"smtp", "submission", "submissions", "imap", "imaps", "managesieve", "xmpp"};
  for (std::size_t first = 0; first < std::size(services); ++first) {
    CAPTURE(services[first]);
    fixture with;
    const auto fail_at = [&](std::size_t i) {
      const std::string login = "name" + std::to_string(i);
      with.guard().failed({.peer = ip("192.0.2.1"),
                           .login = login,
                           .service = services[(first + i) % std::size(services)],
                           .session_id = "s"});
    };
    for (std::size_t i = 0; i < 4; ++i) fail_at(i);
    CHECK_FALSE(with.banned("192.0.2.1"));
    fail_at(4);
    CHECK(with.banned("192.0.2.1"));
    const auto known = with.guard().explain(ip("192.0.2.1"));
    CHECK(known.last_service == services[(first + 4) % std::size(services)]);
    CHECK(known.bans.size() == 1);
    // Whoever asks, for any port: the question has no service.
    CHECK(with.refusal("192.0.2.1") == "Too many failed logins from 192.0.2.1: try again in 10 minutes");
  }
}

TEST_CASE("guard: a login at one service heals what failed at another") {
  fixture with;
  for (int i = 0; i < 4; ++i) with.fail("192.0.2.1");
  with.guard().succeeded(
      {.peer = ip("192.0.2.1"), .login = "alice@example.org", .service = "managesieve", .session_id = "s"},
      "alice@example.org");
  for (int i = 0; i < 4; ++i) with.fail("192.0.2.1");
  CHECK_FALSE(with.banned("192.0.2.1"));
}

TEST_CASE("guard: who is of good standing, and who is doubtful") {
  using net::standing;
  fixture with;
  with.options.allow = {network("198.51.100.0/24")};
  const auto of = [&](std::string_view peer) { return with.guard().standing_of(ip(peer)); };
  CHECK(of("192.0.2.1") == standing::unknown);
  with.succeed("192.0.2.1");
  CHECK(of("192.0.2.1") == standing::good);
  CHECK(of("192.0.2.2") == standing::unknown);
  with.fail("192.0.2.1", "bob@example.org");
  CHECK_MESSAGE(of("192.0.2.1") == standing::unknown, "somebody mistypes where others log in");
  with.succeed("192.0.2.1", "bob@example.org");
  CHECK_MESSAGE(of("192.0.2.1") == standing::good, "healed");
  with.fail("192.0.2.2");
  CHECK(of("192.0.2.2") == standing::doubtful);
  with.clock.advance(2min);
  CHECK_MESSAGE(of("192.0.2.2") == standing::unknown, "forgiven");
  with.failures_to_ban("192.0.2.3");
  CHECK(of("192.0.2.3") == standing::doubtful);
  with.clock.advance(6 * 24h);
  CHECK_FALSE(with.banned("192.0.2.3"));
  CHECK_MESSAGE(of("192.0.2.3") == standing::doubtful, "it was banned lately");
  with.clock.advance(2 * 24h);
  CHECK(of("192.0.2.3") == standing::unknown);
  with.fail("198.51.100.1");
  CHECK_MESSAGE(of("198.51.100.1") == standing::good, "allowed");
  with.fail("2001:db8:1:1::1");
  CHECK(of("2001:db8:1:1::2") == standing::doubtful);
  CHECK_MESSAGE(of("2001:db8:1:2::1") == standing::doubtful, "its /48");
  CHECK(of("2001:db8:2::1") == standing::unknown);
  CHECK_MESSAGE(of("192.0.2.1") == standing::good, "after eight days");
  with.clock.advance(90 * 24h);
  CHECK_MESSAGE(of("192.0.2.1") == standing::unknown, "not for ever");
  CHECK_MESSAGE(!with.guard().is_known(ip("192.0.2.1"), ""), "nobody's name is known by it");
}

TEST_CASE("guard: networks of the allow list are never counted nor banned") {
  fixture with;
  with.options.allow = {network("192.0.2.0/24"), network("2001:db8::/32")};
  CHECK(with.failures_to_ban("192.0.2.1") == 0);
  CHECK(with.failures_to_ban("2001:db8::1") == 0);
  CHECK(with.failures_to_ban("192.0.3.1") == 5);
  CHECK(with.guard().add(network("192.0.2.7"), std::nullopt, "") == base::fail(base::errc::denied));
  REQUIRE(with.guard().add(network("192.0.0.0/16"), std::nullopt, "a wide one").has_value());
  CHECK(with.banned("192.0.9.1"));
  CHECK_FALSE(with.banned("192.0.2.1"));
  CHECK(with.guard().explain(ip("192.0.2.1")).allowed_by == network("192.0.2.0/24"));
}

TEST_CASE("guard: a correct login heals what failed with its name, and all else once a window") {
  fixture with;
  for (int i = 0; i < 4; ++i) with.fail("192.0.2.1", "Alice@example.org");
  with.succeed("192.0.2.1");
  for (int i = 0; i < 4; ++i) with.fail("192.0.2.1");
  CHECK_FALSE(with.banned("192.0.2.1"));
  with.succeed("192.0.2.1");
  CHECK(with.guard().explain(ip("192.0.2.1")).failures == 0);

  // Somebody with an account of his own guesses another's.
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 4; ++i) with.fail("192.0.2.2", "bob@example.org");
    CHECK_FALSE(with.banned("192.0.2.2"));
    with.succeed("192.0.2.2", "mallory@example.org");
  }
  with.fail("192.0.2.2", "bob@example.org");
  CHECK(with.banned("192.0.2.2"));
}

TEST_CASE("guard: the same wrong password counts once a window") {
  fixture with;
  for (int i = 0; i < 100; ++i) with.fail("192.0.2.1", "alice@example.org", "an old password");
  CHECK_FALSE(with.banned("192.0.2.1"));
  CHECK(with.guard().explain(ip("192.0.2.1")).failures == doctest::Approx(1));
  CHECK(with.counter("guard.failures.repeated") == 99);
  // For another name, from another address, and after the window it counts.
  with.fail("192.0.2.1", "bob@example.org", "an old password");
  CHECK(with.guard().explain(ip("192.0.2.1")).failures == doctest::Approx(2));
  with.fail("192.0.2.3", "alice@example.org", "an old password");
  CHECK(with.guard().explain(ip("192.0.2.3")).failures == doctest::Approx(1));
  with.clock.advance(10min);
  with.fail("192.0.2.1", "alice@example.org", "an old password");
  CHECK(with.guard().explain(ip("192.0.2.1")).failures == doctest::Approx(1));
}

TEST_CASE("guard: guessing one account from many addresses slows its failures, but not for whom it knows") {
  fixture with;
  with.succeed("198.51.100.1", "alice@example.org");
  std::vector<std::chrono::milliseconds> delays;
  for (int i = 1; i <= 20; ++i) delays.push_back(with.fail("192.0.2." + std::to_string(i)));
  for (int i = 0; i < 10; ++i) CHECK(delays[static_cast<std::size_t>(i)] == 0ms);
  CHECK(delays[10] == 1s);
  CHECK(delays[11] == 2s);
  CHECK(delays[13] == 8s);
  CHECK(delays[14] == 15s);
  CHECK(delays[19] == 15s);
  CHECK(with.fail("198.51.100.1") == 0ms);
  CHECK(with.fail("198.51.100.1", "ALICE@example.org") == 0ms);
  CHECK(with.fail("198.51.100.1", "bob@example.org") == 0ms);
  CHECK(with.counter("guard.answers.delayed") == 10);
  const auto slowed = with.guard().slowed_accounts(10);
  REQUIRE(slowed.size() == 1);
  CHECK(slowed[0].login == "alice@example.org");
  CHECK(slowed[0].delay == 15s);
  // Names that do not exist are treated alike; the guard is not told.
  with.clock.advance(30min);
  CHECK(with.guard().slowed_accounts(10).empty());
  CHECK(with.fail("192.0.2.30") == 0ms);
}

TEST_CASE("guard: an administrator's bans") {
  fixture with;
  REQUIRE(with.guard().add(network("192.0.2.0/24"), 1h, "scans\r\nus").has_value());
  REQUIRE(with.guard().add(network("192.0.2.1"), std::nullopt, "for ever").has_value());
  REQUIRE(with.guard().add(network("2001:db8::/32"), 2h, "").has_value());
  CHECK(with.guard().find_ban(ip("192.0.2.1"))->reason == "for ever");  // the narrowest
  CHECK(with.guard().find_ban(ip("192.0.2.2"))->reason == "scans  us");
  CHECK(with.refusal("192.0.2.1") == "Connections from 192.0.2.1 are refused (for good)");
  CHECK(with.refusal("192.0.2.2") == "Connections from 192.0.2.2 are refused: try again in 60 minutes");
  CHECK(with.banned("2001:db8:9::1"));
  with.failures_to_ban("203.0.113.1");
  const auto all = with.guard().list(10);
  REQUIRE(all.total == 4);
  CHECK(all.bans[0].network == network("203.0.113.1"));  // the soonest to end first
  CHECK(all.bans[1].network == network("192.0.2.0/24"));
  CHECK(all.bans[3].network == network("192.0.2.1"));
  CHECK(with.guard().list(1).bans.size() == 1);
  CHECK(with.guard().explain(ip("192.0.2.1")).bans.size() == 2);

  const auto before = with.guard().revision();
  CHECK(with.guard().remove(network("192.0.2.1")) == 1);
  CHECK(with.guard().revision() != before);
  CHECK(with.guard().find_ban(ip("192.0.2.1"))->network == network("192.0.2.0/24"));
  with.clock.advance(1h);
  CHECK_FALSE(with.banned("192.0.2.1"));
  CHECK(with.guard().remove(network("203.0.113.0/24")) == 0);  // the ban has ended; its history is known
  CHECK(with.guard().remove(network("203.0.113.1")) == base::fail(base::errc::not_found));
  with.guard().sweep();
  CHECK(with.guard().remove(network("192.0.2.0/24")) == base::fail(base::errc::not_found));
}

TEST_CASE("guard: lifting a ban of one IPv6 address lifts that of its networks") {
  fixture with;
  for (int i = 1; i <= 8; ++i) with.fail("2001:db8:1:" + std::to_string(i) + "::1");
  CHECK(with.banned("2001:db8:1:1::1"));
  CHECK(with.guard().remove(network("2001:db8:1:1::1")) == 1);
  CHECK_FALSE(with.banned("2001:db8:1:1::1"));
  CHECK_FALSE(with.banned("2001:db8:1:9::1"));
}

TEST_CASE("guard: what is known survives a restart") {
  fixture with;
  const auto engine = std::shared_ptr<store::engine>(store::make_memory_engine(&base::system_clock()));
  const auto run = [&](auto use) {
    auto store = store::make_local_store(engine, *with.crypto, base::system_clock());
    server::login_guard guard(*with.crypto, with.clock, with.options, store->state("guard"));
    REQUIRE(guard.load().has_value());
    use(guard);
  };
  const auto fail = [&](server::login_guard& guard, const std::string& from, const std::string& login) {
    return guard.failed({.peer = ip(from), .login = login, .service = "imap", .session_id = {}});
  };
  run([&](server::login_guard& guard) {
    for (int i = 0; i < 5; ++i) fail(guard, "192.0.2.1", "bob");
    for (int i = 0; i < 3; ++i) fail(guard, "192.0.2.2", "a name with spaces");
    for (int i = 1; i <= 12; ++i) fail(guard, "192.0.3." + std::to_string(i), "alice@example.org");
    for (int i = 1; i <= 8; ++i) fail(guard, "2001:db8:1:" + std::to_string(i) + "::1", "carol");
    guard.succeeded({.peer = ip("198.51.100.1"), .login = "alice", .service = "imap", .session_id = {}},
                    "alice@example.org");
    REQUIRE(guard.add(network("203.0.113.0/24"), 1h, "by hand, with reason").has_value());
    REQUIRE(guard.add(network("203.0.114.0/24"), 1min, "short").has_value());
    REQUIRE(guard.add(network("203.0.115.0/24"), std::nullopt, "").has_value());
    REQUIRE(guard.remove(network("203.0.115.0/24")).has_value());
  });
  with.clock.advance(2min);
  run([&](server::login_guard& guard) {
    CHECK(guard.find_ban(ip("192.0.2.1")).has_value());
    CHECK(*guard.find_ban(ip("192.0.2.1"))->until - with.clock.now() == 8min);
    CHECK(guard.find_ban(ip("2001:db8:1:99::1"))->network == network("2001:db8:1::/48"));
    CHECK(guard.explain(ip("192.0.2.2")).failures == doctest::Approx(2));
    CHECK(guard.explain(ip("192.0.2.2")).last_login == "a name with spaces");
    CHECK(guard.find_ban(ip("203.0.113.9"))->reason == "by hand, with reason");
    CHECK_FALSE(guard.find_ban(ip("203.0.114.9")).has_value());
    CHECK_FALSE(guard.find_ban(ip("203.0.115.9")).has_value());
    CHECK(guard.is_known(ip("198.51.100.1"), "alice"));
    CHECK(guard.is_known(ip("198.51.100.1"), "Alice@Example.org"));
    CHECK_FALSE(guard.is_known(ip("198.51.100.2"), "alice"));
    CHECK(fail(guard, "192.0.4.1", "alice@example.org") > 0ms);
  });
  // Repetition counts over restarts, and ends.
  with.clock.advance(10min);
  run([&](server::login_guard& guard) {
    for (int i = 0; i < 5; ++i) fail(guard, "192.0.2.1", "bob");
    CHECK(*guard.find_ban(ip("192.0.2.1"))->until - with.clock.now() == 40min);
  });
  with.clock.advance(with.options.known + with.options.repetition);
  run([&](server::login_guard& guard) { guard.sweep(); });
  auto store = store::make_local_store(engine, *with.crypto, base::system_clock());
  std::size_t rows = 0;
  REQUIRE(store->state("guard")->load([&](auto, auto) { ++rows; }).has_value());
  CHECK(rows == 0);
}

TEST_CASE("guard: rows that cannot be read are passed over") {
  fixture with;
  auto state = store::make_memory_state();
  for (const char* key : {"a192.0.2.1", "a192.0.2.0/24", "anonsense", "m", "m192.0.2.0/24", "kxyz", "k0000000000000000",
                          "u0123456789abcdef", "z", ""}) {
    for (const char* value :
         {"", "1", "2 1 1 1 1 x y", "1 -5 1 1 1 x y", "1 x", "1 99999999999999999999999 1 1 1 x y"}) {
      state->put(key, value);
      server::login_guard guard(*with.crypto, with.clock, with.options, nullptr);
    }
  }
  server::login_guard guard(*with.crypto, with.clock, with.options, std::move(state));
  CHECK(guard.load().has_value());
  CHECK(guard.list(10).total == 0);
}

TEST_CASE("guard: memory is bounded, and bans are the last to go") {
  fixture with;
  with.options.addresses = 4096;
  with.failures_to_ban("192.0.2.1");
  for (int i = 0; i < 100'000; ++i) {
    with.clock.advance(1ms);
    with.fail("10." + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) + "." + std::to_string(i % 256),
              "name" + std::to_string(i));
  }
  CHECK(with.banned("192.0.2.1"));
  CHECK(with.counter("guard.entries.displaced") > 90'000);
  std::size_t known = 0;
  for (int i = 90'000; i < 100'000; ++i) {
    const auto from = ip("10.1." + std::to_string(i / 256 % 256) + "." + std::to_string(i % 256));
    if (with.guard().explain(from).failures > 0) ++known;
  }
  CHECK(known <= 4096);
  CHECK(known > 3000);
}

TEST_CASE("guard: many threads at once") {
  fixture with;
  with.options.addresses = 1024;
  server::login_guard& guard = with.guard();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&guard, t] {
      for (int i = 0; i < 3000; ++i) {
        const auto from = ip("10." + std::to_string(t) + ".0." + std::to_string(i % 200));
        const std::string login = "name" + std::to_string(i % 50);
        guard.failed({.peer = from, .login = login, .password = login, .service = "imap", .session_id = {}});
        if (i % 10 == 0) guard.succeeded({.peer = from, .login = login, .service = "imap", .session_id = {}}, login);
        (void)guard.turn_away(from);
        if (i % 100 == 0) {
          guard.sweep();
          (void)guard.list(10);
          (void)guard.add(network("172.16.0.0/12"), 1h, "");
          (void)guard.remove(network("172.16.0.0/12"));
        }
      }
    });
  }
  for (auto& each : threads) each.join();
  CHECK(with.counter("guard.failures") == 12000);
}

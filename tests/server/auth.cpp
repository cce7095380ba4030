// The authenticator without a protocol round it.

#include <atomic>
#include <thread>

#include "server/smtp_support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using server::auth_result;

namespace {

// The real one, with its calls counted.
class counting_crypto final : public base::crypto {
 public:
  std::unique_ptr<base::hasher> start_hash(base::hash_kind kind) const override { return the_crypto().start_hash(kind); }
  std::string hash(base::hash_kind kind, std::string_view octets) const override { return the_crypto().hash(kind, octets); }
  std::string hmac(base::hash_kind kind, std::string_view key, std::string_view octets) const override {
    return the_crypto().hmac(kind, key, octets);
  }
  std::string pbkdf2(base::hash_kind kind, std::string_view password, std::string_view salt, std::uint32_t iterations,
                     std::size_t length) const override {
    rounds += iterations;
    ++derivations;
    return the_crypto().pbkdf2(kind, password, salt, iterations, length);
  }
  void random(std::span<char> out) const noexcept override { the_crypto().random(out); }
  mutable std::atomic<std::uint64_t> rounds{0}, derivations{0};
};

struct fixture {
  fixture() {
    REQUIRE(base::sync_wait(store->directory().put_domain({.name = "example.org"})).has_value());
    add("alice@example.org", "secret");
  }
  void add(const std::string& login, const std::string& password) {
    auto made = server::make_credentials(the_crypto(), server::password_scheme::scram, password);
    REQUIRE(made.has_value());
    REQUIRE(base::sync_wait(store->directory().add_account({.login = login, .credentials = *made})).has_value());
  }
  auth_result::kind check(server::account_authenticator& logins, std::string_view name, std::string_view password) {
    return base::sync_wait(logins.check_password(name, password, origin)).what;
  }
  // Key derivations and their rounds of one attempt.
  std::pair<std::uint64_t, std::uint64_t> work(server::account_authenticator& logins, std::string_view name, std::string_view password) {
    counted.rounds = counted.derivations = 0;
    (void)check(logins, name, password);
    return {counted.derivations.load(), counted.rounds.load()};
  }
  std::unique_ptr<store::local_store> store = store::make_memory_store(the_crypto(), base::system_clock());
  counting_crypto counted;
  base::manual_clock time{base::wall_time(1700000000s)};
  server::auth_origin origin{.service = "imap"};
  server::account_authenticator_options options{.decoy_secret = std::string(16, 'd')};
};

using kind = auth_result::kind;

}  // namespace

TEST_CASE("authenticator: an unknown user costs the same work as a known one") {
  fixture f;
  server::account_authenticator logins(f.store->directory(), f.counted, f.time, f.options);
  const auto known = f.work(logins, "alice@example.org", "wrong");
  CHECK(known.first == 1);
  CHECK(f.work(logins, "nobody@example.org", "wrong") == known);
  CHECK(f.work(logins, "nobody@elsewhere.test", "wrong") == known);
  CHECK(f.work(logins, "no address", "wrong") == known);
  CHECK(f.work(logins, "alice@example.org", "secret") == known);
}

TEST_CASE("authenticator: a right password is known again without work, for its time, and forgotten when it changes") {
  fixture f;
  server::account_authenticator logins(f.store->directory(), f.counted, f.time, f.options);
  CHECK(f.check(logins, "alice@example.org", "secret") == kind::success);
  CHECK(f.work(logins, "alice@example.org", "secret").first == 0);
  CHECK(f.check(logins, "alice@example.org", "wrong") == kind::refused);
  CHECK(f.work(logins, "alice@example.org", "wrong").first == 1);  // wrong ones are not remembered
  f.time.advance(299s);
  CHECK(f.work(logins, "alice@example.org", "secret").first == 0);
  f.time.advance(2s);
  CHECK(f.work(logins, "alice@example.org", "secret").first == 1);

  auto account = base::sync_wait(f.store->directory().find_account("alice@example.org"));
  REQUIRE(account.has_value());
  account->credentials = *server::make_credentials(the_crypto(), server::password_scheme::scram, "changed");
  REQUIRE(base::sync_wait(f.store->directory().update_account(*account)).has_value());
  CHECK(f.check(logins, "alice@example.org", "secret") == kind::refused);
  CHECK(f.check(logins, "alice@example.org", "changed") == kind::success);
  account->enabled = false;
  REQUIRE(base::sync_wait(f.store->directory().update_account(*account)).has_value());
  CHECK(f.check(logins, "alice@example.org", "changed") == kind::refused);
}

TEST_CASE("authenticator: without memory every login is checked anew; a full one starts again") {
  fixture f;
  f.options.remember = 0s;
  server::account_authenticator none(f.store->directory(), f.counted, f.time, f.options);
  CHECK(f.check(none, "alice@example.org", "secret") == kind::success);
  CHECK(f.work(none, "alice@example.org", "secret").first == 1);

  f.add("bob@example.org", "geheim");
  f.options.remember = 300s;
  f.options.remembered = 1;
  server::account_authenticator one(f.store->directory(), f.counted, f.time, f.options);
  CHECK(f.check(one, "alice@example.org", "secret") == kind::success);
  CHECK(f.check(one, "bob@example.org", "geheim") == kind::success);
  CHECK(f.work(one, "bob@example.org", "geheim").first == 0);
  CHECK(f.work(one, "alice@example.org", "secret").first == 1);
}

TEST_CASE("authenticator: names and passwords are prepared; what cannot be one is refused") {
  fixture f;
  f.add("eve@example.org", "I\xc2\xadX");  // soft hyphen: mapped to nothing (RFC 4013 §3)
  server::account_authenticator logins(f.store->directory(), f.counted, f.time, f.options);
  CHECK(f.check(logins, "eve@example.org", "IX") == kind::success);
  CHECK(f.check(logins, "eve@example.org", "I\xc2\xadX") == kind::success);
  CHECK(f.check(logins, "eve@example.org", "\x07") == kind::refused);
  CHECK(f.check(logins, "eve@example.org", "") == kind::refused);
  CHECK(f.check(logins, "", "IX") == kind::refused);
  CHECK(f.check(logins, "eve@example.org\xff", "IX") == kind::refused);
}

TEST_CASE("authenticator: as many threads as asked for, and all answers arrive") {
  fixture f;
  f.options.threads = 3;
  f.options.remember = 0s;
  server::account_authenticator logins(f.store->directory(), f.counted, f.time, f.options);
  std::atomic<int> right{0};
  std::vector<std::thread> askers;
  for (int i = 0; i < 8; ++i) {
    askers.emplace_back([&, i] {
      for (int n = 0; n < 5; ++n) {
        right += f.check(logins, "alice@example.org", i % 2 == 0 ? "secret" : "wrong") == kind::success;
      }
    });
  }
  for (auto& one : askers) one.join();
  CHECK(right == 20);
}

TEST_CASE("authenticator: disabled mechanisms and recoverable ones") {
  fixture f;
  f.options.disabled = {"LOGIN"};
  server::account_authenticator logins(f.store->directory(), f.counted, f.time, f.options);
  CHECK(logins.mechanisms(false) == std::vector<std::string>{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"});
  CHECK(logins.mechanisms(true).front() == "SCRAM-SHA-256-PLUS");
  CHECK(logins.start("LOGIN", f.origin) == nullptr);
  CHECK(logins.start("CRAM-MD5", f.origin) == nullptr);
  CHECK(logins.start("SCRAM-SHA-256-PLUS", f.origin) == nullptr);  // no TLS, nothing to bind to
  CHECK(logins.start("scram-sha-256", f.origin) != nullptr);
}

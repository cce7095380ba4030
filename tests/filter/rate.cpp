#include "briefwerk/filter/rate.hpp"

#include <doctest/doctest.h>

#include "briefwerk/filter/chain.hpp"
#include "filter/support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using namespace std::chrono_literals;
using filter::action;
using filter::rate_key;
using filter::rate_unit;
using filter::verdict;

namespace {

constexpr base::siphash_key key{1, 2};

struct host {
  explicit host(filter::rate_options options) {
    stage = std::make_shared<filter::rate>(std::move(options), time, key);
    chain.add(stage);
  }
  filter::session_facts from(std::string_view address, std::string account = {}) {
    filter::session_facts session;
    session.remote.address = ip(address);
    session.where = account.empty() ? filter::scope::inbound : filter::scope::submission;
    session.login = account;
    session.account = std::move(account);
    return session;
  }
  // How many recipients of a message were taken; nothing where it was refused before or after.
  verdict send(filter::session_facts session, const std::string& sender, std::initializer_list<std::string> to) {
    const auto envelope = envelope_of(sender, to);
    verdict v = base::sync_wait(chain.connect(session));
    if (v.what < action::defer) v = base::sync_wait(chain.mail(session, envelope));
    taken = 0;
    if (v.what >= action::defer) return v;
    for (const auto& one : envelope.recipients) {
      const verdict said = base::sync_wait(chain.rcpt(session, envelope, one));
      if (said.what < action::defer) ++taken;
      else v = said;
    }
    if (taken != 0) return base::sync_wait(chain.message(session, envelope, {"x"}));
    return v;
  }
  base::manual_clock time{base::wall_time(std::chrono::hours(24 * 20000))};
  filter::chain chain;
  std::shared_ptr<filter::rate> stage;
  int taken = 0;
};

}  // namespace

TEST_CASE("rate: a bucket empties at once and fills steadily") {
  host h({.rules = {{.by = rate_key::address, .of = rate_unit::messages, .count = 3, .in = 60s}}});
  for (int i = 0; i < 3; ++i) CHECK(h.send(h.from("192.0.2.1"), "a@x.test", {"b@y.test"}).what == action::accept);
  const verdict v = h.send(h.from("192.0.2.1"), "a@x.test", {"b@y.test"});
  CHECK(v.what == action::defer);
  CHECK(v.text == "Too many messages, please try again in 20 seconds");
  CHECK(v.reason == "messages of one address");
  h.time.advance(19s);
  CHECK(h.send(h.from("192.0.2.1"), "a@x.test", {"b@y.test"}).what == action::defer);
  h.time.advance(1s);
  CHECK(h.send(h.from("192.0.2.1"), "a@x.test", {"b@y.test"}).what == action::accept);
  CHECK(h.send(h.from("192.0.2.1"), "a@x.test", {"b@y.test"}).what == action::defer);
  h.time.advance(1h);
  for (int i = 0; i < 3; ++i) CHECK(h.send(h.from("192.0.2.1"), "a@x.test", {"b@y.test"}).what == action::accept);
  CHECK(h.send(h.from("192.0.2.1"), "a@x.test", {"b@y.test"}).what == action::defer);
}

TEST_CASE("rate: a clock that is set back leaves no bucket empty until its old time comes again") {
  host h({.rules = {{.by = rate_key::address, .of = rate_unit::messages, .count = 3, .in = 60s}}});
  CHECK(h.send(h.from("192.0.2.1"), "a@x.test", {"b@y.test"}).what == action::accept);
  h.time.advance(-48h);
  for (int i = 0; i < 3; ++i) CHECK(h.send(h.from("192.0.2.1"), "a@x.test", {"b@y.test"}).what == action::accept);
  CHECK(h.send(h.from("192.0.2.1"), "a@x.test", {"b@y.test"}).text == "Too many messages, please try again in 20 seconds");
}

TEST_CASE("rate: what the rules count by") {
  struct row {
    const char* why;
    filter::rate_rule rule;
    const char *address, *account, *sender, *to;
    bool counted;  // like 192.0.2.1, account u, a@x.test, b@y.test
  };
  const row rows[] = {
      {"address", {rate_key::address, rate_unit::messages, 1}, "192.0.2.1", "v", "c@z.test", "d@w.test", true},
      {"another address", {rate_key::address, rate_unit::messages, 1}, "192.0.2.2", "u", "a@x.test", "b@y.test", false},
      {"network", {rate_key::network, rate_unit::messages, 1}, "192.0.2.2", "v", "c@z.test", "d@w.test", true},
      {"another network", {rate_key::network, rate_unit::messages, 1}, "192.0.3.1", "u", "a@x.test", "b@y.test", false},
      {"account", {rate_key::account, rate_unit::messages, 1}, "10.0.0.1", "u", "c@z.test", "d@w.test", true},
      {"another account", {rate_key::account, rate_unit::messages, 1}, "192.0.2.1", "v", "a@x.test", "b@y.test", false},
      {"nobody logged in", {rate_key::account, rate_unit::messages, 1}, "192.0.2.1", "", "a@x.test", "b@y.test", false},
      {"sender's domain", {rate_key::sender_domain, rate_unit::messages, 1}, "10.0.0.1", "v", "z@X.test", "d@w.test", true},
      {"another domain", {rate_key::sender_domain, rate_unit::messages, 1}, "192.0.2.1", "u", "a@xx.test", "b@y.test", false},
      {"the null sender has none", {rate_key::sender_domain, rate_unit::messages, 1}, "192.0.2.1", "u", "", "b@y.test", false},
      {"recipient", {rate_key::recipient, rate_unit::messages, 1}, "10.0.0.1", "v", "c@z.test", "B@y.test", true},
      {"another recipient", {rate_key::recipient, rate_unit::messages, 1}, "192.0.2.1", "u", "a@x.test", "c@y.test", false},
      {"connections", {rate_key::address, rate_unit::connections, 1}, "192.0.2.1", "v", "c@z.test", "d@w.test", true},
      {"recipients", {rate_key::address, rate_unit::recipients, 1}, "192.0.2.1", "v", "c@z.test", "d@w.test", true},
      {"only inbound", {rate_key::address, rate_unit::messages, 1, 60s, filter::scope::inbound}, "192.0.2.1", "u", "a@x.test", "b@y.test", false},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    host h({.rules = {r.rule}});
    REQUIRE(h.send(h.from("192.0.2.1", "u"), "a@x.test", {"b@y.test"}).what == action::accept);
    CHECK((h.send(h.from(r.address, r.account), r.sender, {r.to}).what == action::defer) == r.counted);
  }
}

TEST_CASE("rate: recipients beyond the limit wait, the others get their mail; networks that nobody counts") {
  host h({.rules = {{.by = rate_key::address, .of = rate_unit::recipients, .count = 2}},
          .networks = {*base::ip_network::parse("10.0.0.0/8")}});
  CHECK(h.send(h.from("192.0.2.1"), "a@x.test", {"1@y.test", "2@y.test", "3@y.test"}).what == action::accept);
  CHECK(h.taken == 2);
  (void)h.send(h.from("10.0.2.1"), "a@x.test", {"1@y.test", "2@y.test", "3@y.test"});
  CHECK(h.taken == 3);
}

TEST_CASE("rate: an account that looks hijacked: held, not lost, and told once a day") {
  std::vector<std::string> told;
  host h({.recipients_a_day = 10, .new_recipients_a_day = 4,
          .notify = [&](const auto& notice) { told.push_back(notice.login + ": " + notice.reason); }});
  const auto send = [&](std::initializer_list<std::string> to) { return h.send(h.from("192.0.2.1", "u"), "u@x.test", to).what; };
  CHECK(send({"1@y.test", "2@y.test"}) == action::accept);
  CHECK(send({"1@y.test", "2@y.test"}) == action::accept);  // known by now
  CHECK(send({"3@y.test", "4@y.test"}) == action::accept);
  CHECK(send({"5@y.test"}) == action::quarantine);
  CHECK(send({"1@y.test"}) == action::quarantine);
  CHECK(told == std::vector<std::string>{"u: 5 new recipients today"});
  CHECK(h.send(h.from("192.0.2.1", "v"), "v@x.test", {"1@y.test"}).what == action::accept);
  h.time.advance(24h);
  CHECK(send({"1@y.test", "2@y.test", "3@y.test", "4@y.test", "5@y.test"}) == action::accept);
  CHECK(send({"1@y.test", "2@y.test", "3@y.test", "4@y.test", "5@y.test"}) == action::accept);
  CHECK(send({"1@y.test"}) == action::quarantine);
  CHECK(told.size() == 2);
  CHECK(told.back() == "u: 11 recipients today");
}

TEST_CASE("rate: a trial counts nothing, and counts last over a restart") {
  const filter::rate_options options{.rules = {{.by = rate_key::address, .of = rate_unit::messages, .count = 1}}};
  memory_store kept;
  {
    host h(options);
    for (int i = 0; i < 2; ++i) {
      filter::session_facts session = h.from("192.0.2.1");
      CHECK(base::sync_wait(h.chain.explain(session, envelope_of("a@x.test", {"b@y.test"}), {"x"})).sum.what == action::accept);
    }
    CHECK(h.send(h.from("192.0.2.1"), "a@x.test", {"b@y.test"}).what == action::accept);
    h.stage->state().save(kept, 0);
  }
  host h(options);
  REQUIRE(h.stage->state().load(kept, 0).has_value());
  CHECK(h.send(h.from("192.0.2.1"), "a@x.test", {"b@y.test"}).what == action::defer);
}

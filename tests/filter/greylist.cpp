#include "briefwerk/filter/greylist.hpp"

#include <doctest/doctest.h>

#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/filter/auth_facts.hpp"
#include "briefwerk/filter/chain.hpp"
#include "filter/support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using namespace std::chrono_literals;
using filter::action;
using filter::verdict;

namespace {

struct host {
  explicit host(filter::greylist_options options = {}) {
    chain.add(filter::mail_stage("proofs", [this](auto& session, auto&) {
      auto& facts = filter::auth_facts_of(session);
      facts = {};
      if (!spf.empty()) facts.spf = mailauth::outcome::pass;
      facts.spf_domain = spf;
      return verdict::accepted();
    }));
    chain.add(filter::message_stage("signatures", [this](auto& session, auto&, auto&) {
      if (!dkim.empty()) filter::auth_facts_of(session).dkim_domains = {dkim};
      return junk ? verdict::junked("bad") : verdict::accepted();
    }));
    stage = std::make_shared<filter::greylist>(std::move(options), names, time, base::siphash_key{1, 2});
    chain.add(stage, {.after = {"proofs", "signatures"}});
  }

  // The answer to RCPT; where that accepts, to the message.
  verdict send(std::string_view address, const std::string& from, const std::string& to) {
    filter::session_facts session;
    session.remote.address = ip(address);
    const mail::smtp_envelope envelope = envelope_of(from, {to});
    (void)base::sync_wait(chain.mail(session, envelope));
    const verdict early = base::sync_wait(chain.rcpt(session, envelope, envelope.recipients.front()));
    at_message = early.what < action::defer;
    return at_message ? base::sync_wait(chain.message(session, envelope, {"x"})) : early;
  }
  bool waits(std::string_view address, const std::string& from, const std::string& to) {
    return send(address, from, to).what == action::defer;
  }
  void settle(std::string_view address, const std::string& from, const std::string& to) {
    (void)send(address, from, to);
    time.advance(301s);
    CHECK(!waits(address, from, to));
  }

  base::manual_clock time{base::wall_time(std::chrono::hours(500000))};
  base::scripted_resolver names;
  filter::chain chain;
  std::shared_ptr<filter::greylist> stage;
  std::string spf, dkim;
  bool junk = false, at_message = false;
};

}  // namespace

TEST_CASE("greylist: the first mail waits, with the seconds to wait, the next one does not") {
  host h;
  const verdict first = h.send("192.0.2.1", "a@far.test", "b@here.test");
  CHECK(first.what == action::defer);
  CHECK(first.text.find("300 seconds") != std::string::npos);
  h.time.advance(100s);
  CHECK(h.send("192.0.2.1", "a@far.test", "b@here.test").text.find("200 seconds") != std::string::npos);
  h.time.advance(201s);
  CHECK(!h.waits("192.0.2.1", "a@far.test", "b@here.test"));
  CHECK(!h.waits("192.0.2.1", "a@far.test", "b@here.test"));
}

TEST_CASE("greylist: a clock that is set back makes nobody wait until its old time comes again") {
  host h;
  CHECK(h.waits("192.0.2.1", "a@far.test", "b@here.test"));
  h.time.advance(-48h);
  CHECK(h.send("192.0.2.1", "a@far.test", "b@here.test").text.find("300 seconds") != std::string::npos);
  h.time.advance(301s);
  CHECK(!h.waits("192.0.2.1", "a@far.test", "b@here.test"));
}

TEST_CASE("greylist: what makes a triplet") {
  struct row {
    const char* why;
    const char *address, *from, *to;
    bool known;
  };
  const row rows[] = {
      {"the same", "192.0.2.1", "a17@far.test", "b@here.test", true},
      {"another host of the /24", "192.0.2.99", "a17@far.test", "b@here.test", true},
      {"another network", "192.0.3.1", "a17@far.test", "b@here.test", false},
      {"letter case", "192.0.2.1", "A17@FAR.test", "B@Here.Test", true},
      {"another number in the sender", "192.0.2.1", "a2345@far.test", "b@here.test", true},
      {"a sub-address of the sender", "192.0.2.1", "a17+tag@far.test", "b@here.test", true},
      {"another sender", "192.0.2.1", "c17@far.test", "b@here.test", false},
      {"the null sender", "192.0.2.1", "", "b@here.test", false},
      {"another recipient", "192.0.2.1", "a17@far.test", "c@here.test", false},
      {"a host of the /64", "2001:db8::9", "a17@far.test", "b@here.test", true},
      {"another /64", "2001:db8:0:1::9", "a17@far.test", "b@here.test", false},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    host h({.trusted_after = 0});
    h.settle("192.0.2.1", "a17@far.test", "b@here.test");
    h.settle("2001:db8::1", "a17@far.test", "b@here.test");
    CHECK(h.waits(r.address, r.from, r.to) != r.known);
  }
}

TEST_CASE("greylist: window and lifetime") {
  host h({.window = 10h, .lifetime = 24h, .trusted_after = 0});
  CHECK(h.waits("192.0.2.1", "a@far.test", "b@here.test"));
  h.time.advance(10h);
  CHECK(h.waits("192.0.2.1", "a@far.test", "b@here.test"));  // too late: it counts as new
  h.time.advance(1h);
  CHECK(!h.waits("192.0.2.1", "a@far.test", "b@here.test"));
  h.time.advance(23h);
  CHECK(!h.waits("192.0.2.1", "a@far.test", "b@here.test"));  // each mail renews it
  h.time.advance(24h);
  CHECK(h.waits("192.0.2.1", "a@far.test", "b@here.test"));
}

TEST_CASE("greylist: lists") {
  host h({.networks = {*base::ip_network::parse("198.51.100.0/24")}, .hosts = {"friend.test"}, .recipients = {"open.test", "c@here.test"}});
  h.names.add_ptr("192.0.2.7", "mail-17.google.com").add_address("mail-17.google.com", "192.0.2.7");
  h.names.add_ptr("192.0.2.8", "mail-17.google.com");  // a name that does not lead back
  h.names.add_ptr("192.0.2.9", "mx.friend.test").add_address("mx.friend.test", "192.0.2.9");
  h.names.add_ptr("192.0.2.10", "mx.notfriend.test").add_address("mx.notfriend.test", "192.0.2.10");
  struct row {
    const char* why;
    const char *address, *to;
    bool waits;
  };
  const row rows[] = {
      {"nobody's friend", "192.0.2.1", "b@here.test", true},    {"a network", "198.51.100.4", "b@here.test", false},
      {"a big sender", "192.0.2.7", "b@here.test", false},      {"who says to be one", "192.0.2.8", "b@here.test", true},
      {"a name of our own list", "192.0.2.9", "b@here.test", false}, {"a name that ends alike", "192.0.2.10", "b@here.test", true},
      {"an unprotected address", "192.0.2.1", "c@here.test", false}, {"an unprotected domain", "192.0.2.1", "x@open.test", false},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(h.waits(r.address, "a@far.test", r.to) == r.waits);
  }
  host without({.big_senders = false});
  without.names.add_ptr("192.0.2.7", "mail-17.google.com").add_address("mail-17.google.com", "192.0.2.7");
  CHECK(without.waits("192.0.2.7", "a@far.test", "b@here.test"));
}

TEST_CASE("greylist: a network whose mail was good is trusted; one whose mail was junk is not") {
  for (const bool junk : {false, true}) {
    host h({.trusted_after = 3});
    h.junk = junk;
    for (int i = 0; i < 3; ++i) h.settle("192.0.2.1", "a" + std::string(static_cast<std::size_t>(i + 1), 'x') + "@far.test", "b@here.test");
    CHECK(h.waits("192.0.2.77", "new@other.test", "b@here.test") == junk);
    CHECK(h.waits("192.0.9.77", "new@other.test", "b@here.test"));
  }
}

TEST_CASE("greylist: SPF with a good history, from whatever network") {
  host h({.trusted_after = 2});
  h.spf = "far.test";
  h.settle("192.0.2.1", "a@far.test", "b@here.test");
  h.settle("192.0.2.1", "b@far.test", "b@here.test");
  CHECK(!h.waits("203.0.113.1", "c@far.test", "b@here.test"));
  h.spf = "unknown.test";
  CHECK(h.waits("203.0.114.1", "c@unknown.test", "b@here.test"));
  h.spf.clear();
  CHECK(h.waits("203.0.115.1", "c@far.test", "b@here.test"));
}

TEST_CASE("greylist: a domain that signs is judged when its signature is there") {
  host h({.trusted_after = 2});
  h.dkim = "far.test";
  h.settle("192.0.2.1", "a@far.test", "b@here.test");
  h.settle("192.0.2.1", "b@far.test", "b@here.test");
  CHECK(h.waits("203.0.113.1", "c@mail.far.test", "b@here.test"));  // mail of this name was never seen
  CHECK(!h.waits("203.0.113.1", "c@far.test", "b@here.test"));
  CHECK(h.at_message);
  h.dkim.clear();  // a forger has no signature: he waits after all
  const verdict v = h.send("203.0.114.1", "c@far.test", "b@here.test");
  CHECK(h.at_message);
  CHECK(v.what == action::defer);
  h.time.advance(301s);
  CHECK(!h.waits("203.0.114.1", "c@far.test", "b@here.test"));
}

TEST_CASE("greylist: a trial changes nothing") {
  host h;
  for (int i = 0; i < 2; ++i) {
    filter::session_facts session;
    session.remote.address = ip("192.0.2.1");
    const auto got = base::sync_wait(h.chain.explain(session, envelope_of("a@far.test", {"b@here.test"}), {"x"}));
    CHECK(got.sum.what == action::defer);
    CHECK(got.sum.text.find("300 seconds") != std::string::npos);
    h.time.advance(301s);
  }
}

TEST_CASE("greylist: what was learned lasts over a restart") {
  memory_store kept;
  {
    host h;
    (void)h.send("192.0.2.1", "a@far.test", "b@here.test");
    h.stage->state().save(kept, 0);
  }
  host h;
  REQUIRE(h.stage->state().load(kept, 0).has_value());
  h.time.advance(301s);
  CHECK(!h.waits("192.0.2.1", "a@far.test", "b@here.test"));
  for (const auto& [row, value] : kept.kept) {
    CHECK(row.find("far") == std::string::npos);  // no address in what is kept
    CHECK(value.find("far") == std::string::npos);
  }
}

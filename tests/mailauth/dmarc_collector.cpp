#include "briefwerk/mailauth/dmarc_collector.hpp"

#include <doctest/doctest.h>

#include "briefwerk/base/scripted_resolver.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth::dmarc;
using base::errc;
using mailauth::outcome;

namespace {

std::chrono::sys_seconds at(std::int64_t seconds) { return std::chrono::sys_seconds(std::chrono::seconds(seconds)); }
constexpr std::int64_t day = 86400;

evaluation evaluated(std::string_view record, std::string_view from, input found) {
  base::scripted_resolver dns;
  dns.add_txt("_dmarc.example.org", record);
  return base::sync_wait(evaluate(dns, mailauth::read_author("From: x@" + std::string(from) + "\r\n\r\n"),
                                  std::move(found),
                                  {.method = discovery::tree_walk, .suffixes = nullptr, .sample = [] { return 99u; }}));
}

message_facts facts(std::string_view source) {
  message_facts out;
  out.source = base::ip_address::parse(source).value();
  out.envelope_from = "bounce.example.org";
  return out;
}

observation seen(std::string_view source, std::string_view from = "example.org",
                 std::string_view record = "v=DMARC1; p=reject; rua=mailto:r@example.org!1m") {
  const auto found = evaluated(
      record, from, {.spf = {outcome::fail, "bounce.example.org"}, .dkim = {{outcome::pass, "example.org", "s"}}});
  const auto out = observe(found, facts(source));
  REQUIRE(out);
  return *out;
}

// What a store would hold.
struct memory {
  std::map<std::string, std::string> rows;
  collector::keeper keeper() {
    return {.put = [this](std::string key, std::string value) { rows[std::move(key)] = std::move(value); },
            .erase = [this](std::string key) { rows.erase(key); }};
  }
};

}  // namespace

TEST_CASE("what an evaluated message tells") {
  const auto found = evaluated("v=DMARC1; p=reject; sp=quarantine; pct=10; fo=1; adkim=s; rua=mailto:r@example.org",
                               "news.example.org",
                               {.spf = {outcome::softfail, "bounce.example.org"},
                                .dkim = {{outcome::fail, "news.example.org", "a"},
                                         {outcome::pass, "list.example", "b"},
                                         {outcome::permerror, "exa mple", "c"}}});
  auto about = facts("2001:db8::1");
  about.envelope_to = "mx.example";
  about.applied = action::none;
  about.reasons = {{override_type::local_policy, "marked only"}};
  const auto out = observe(found, about);
  REQUIRE(out);
  CHECK(out->published.domain == "example.org");
  CHECK(out->published.sp == policy::quarantine);
  CHECK(out->published.pct == 10);
  CHECK(out->published.fo == "1");
  CHECK(out->published.adkim == alignment::strict);
  CHECK(out->rua.size() == 1);
  const auto& row = out->row;
  CHECK(row.count == 1);
  CHECK(row.source_ip == "2001:db8::1");
  CHECK(row.disposition == action::none);
  CHECK(row.dkim == outcome::fail);
  CHECK(row.spf == outcome::fail);
  CHECK(row.reasons ==
        std::vector<override_reason>{{override_type::local_policy, "marked only"}, {override_type::sampled_out, ""}});
  CHECK(row.header_from == "news.example.org");
  CHECK(row.envelope_from == "bounce.example.org");
  CHECK(row.envelope_to == "mx.example");
  REQUIRE(row.dkim_results.size() == 3);
  CHECK(row.dkim_results[0].domain == "list.example");  // RFC 9990 §3.1.3: what passed stands first
  CHECK(row.spf_results ==
        std::vector<spf_result>{{"bounce.example.org", spf_scope::mail_from, outcome::softfail, ""}});
}

TEST_CASE("messages that are in no report") {
  const input aligned{.spf = {outcome::pass, "example.org"}, .dkim = {}};
  CHECK(observe(evaluated("v=DMARC1; p=none; rua=mailto:r@example.org", "example.org", aligned), facts("192.0.2.1")));
  CHECK_FALSE(observe(evaluated("v=DMARC1; p=none", "example.org", aligned), facts("192.0.2.1")));
  CHECK_FALSE(observe(evaluated("v=spf1 -all", "example.org", aligned), facts("192.0.2.1")));
  CHECK_FALSE(observe(evaluated("v=DMARC1; p=none; rua=mailto:r@example.org", "example.org, y@evil.example", aligned),
                      facts("192.0.2.1")));
  CHECK_FALSE(observe(evaluated("v=DMARC1; p=none; rua=mailto:r@example.org", "example.org",
                                {.spf = {outcome::temperror, "example.org"}, .dkim = {}}),
                      facts("192.0.2.1")));
}

TEST_CASE("alike messages are one row, days and domains are kept apart") {
  collector all;
  for (int i = 0; i < 3; ++i) CHECK(all.add(at(10 + i), seen("192.0.2.1")));
  CHECK(all.add(at(day - 1), seen("192.0.2.2")));
  CHECK(all.add(at(day), seen("192.0.2.1")));
  CHECK(all.add(at(20), seen("192.0.2.1", "news.example.org")));  // its policy is example.org's
  CHECK(all.rows() == 4);
  const auto first = std::chrono::sys_days(std::chrono::days(0));
  CHECK(all.finished(first).empty());
  CHECK(all.finished(first + std::chrono::days(1)) == std::vector<collector::period>{{first, "example.org"}});
  CHECK(all.finished(first + std::chrono::days(2)).size() == 2);

  const auto found = all.find({first, "example.org"});
  REQUIRE(found);
  const auto what = found->make_report({.org_name = "o",
                                        .email = "e",
                                        .extra_contact_info = {},
                                        .report_id = "i",
                                        .begin = at(0),
                                        .end = at(day - 1),
                                        .errors = {},
                                        .generator = {}});
  REQUIRE(what.rows.size() == 3);
  CHECK(what.rows[0].source_ip == "192.0.2.1");
  CHECK(what.rows[0].count + what.rows[1].count == 4);
  CHECK(what.rows[2].source_ip == "192.0.2.2");
  CHECK(what.metadata.errors.empty());
  CHECK(parse_report(write_report(what))->rows.size() == 3);

  all.forget({first, "example.org"});
  CHECK(all.rows() == 1);
  CHECK_FALSE(all.find({first, "example.org"}));
}

TEST_CASE("the policy published last is told") {
  collector all;
  all.add(at(0), seen("192.0.2.1"));
  all.add(at(1), seen("192.0.2.1", "example.org", "v=DMARC1; p=none; rua=mailto:other@example.org"));
  const auto found = all.find({std::chrono::sys_days(), "example.org"});
  CHECK(found->published().p == policy::none);
  CHECK(found->rua() == std::vector<report_uri>{{"mailto:other@example.org", {}}});
}

TEST_CASE("a restart finds everything again") {
  memory store;
  collector before({}, store.keeper());
  for (int i = 0; i < 5; ++i) before.add(at(i), seen(i % 2 ? "192.0.2.1" : "2001:db8::7"));
  before.add(at(day), seen("192.0.2.9"));
  CHECK(store.rows.size() == 5);  // two heads, three rows

  const auto rows_before = store.rows;
  collector after({}, store.keeper());
  for (const auto& [key, value] : rows_before) CHECK(after.restore(key, value));
  CHECK(after.rows() == 3);
  const collector::period first{std::chrono::sys_days(), "example.org"};
  CHECK(after.find(first)->make_report({}) == before.find(first)->make_report({}));
  // It counts on where it stopped.
  after.add(at(9), seen("192.0.2.1"));
  CHECK(store.rows.size() == 5);
  CHECK(after.find(first)->make_report({}).rows[0].count == 3);
  after.forget(first);
  CHECK(store.rows.size() == 2);
}

TEST_CASE("pieces that are damaged are refused, cut or changed") {
  memory store;
  collector whole({}, store.keeper());
  whole.add(at(0), seen("192.0.2.1"));
  for (const auto& [key, value] : store.rows) {
    for (std::size_t length = 0; length < value.size(); ++length) {
      collector fresh;
      test::with_exact_block(std::string_view(value).substr(0, length),
                             [&](std::string_view cut) { CHECK(fresh.restore(key, cut).error() == errc::corrupt); });
      CHECK(fresh.finished(std::chrono::sys_days(std::chrono::days(9))).empty());
    }
    CHECK_FALSE(collector().restore(key, value + "x"));
    for (std::size_t i = 0; i < value.size(); ++i) {
      auto changed = value;
      changed[i] = static_cast<char>(changed[i] ^ 0x55);
      (void)collector().restore(key, changed);  // a sanitizer watches
    }
  }
  for (const auto* key :
       {"", "/", "x/example.org", "1", "1/", "1/example.org/x", "1/example.org/-1", "99999999999/example.org"})
    CHECK_FALSE(collector().restore(key, store.rows.begin()->second));
}

TEST_CASE("bounds of what is collected") {
  collector all({.domains = 1, .rows = 3, .rows_of_one = 2});
  CHECK(all.add(at(0), seen("192.0.2.1")));
  CHECK(all.add(at(0), seen("192.0.2.2")));
  CHECK_FALSE(all.add(at(0), seen("192.0.2.3")));
  CHECK(all.add(at(0), seen("192.0.2.1")));          // known rows go on
  CHECK_FALSE(all.add(at(day), seen("192.0.2.1")));  // a second collection
  const auto what = all.find({std::chrono::sys_days(), "example.org"})->make_report({});
  CHECK(what.rows.size() == 2);
  CHECK(what.rows[0].count == 2);
  CHECK(what.metadata.errors == std::vector<std::string>{"1 messages are not listed: too many different rows"});

  collector rows({.domains = 5, .rows = 1, .rows_of_one = 2});
  CHECK(rows.add(at(0), seen("192.0.2.1")));
  CHECK_FALSE(rows.add(at(0), seen("192.0.2.2")));
  CHECK_FALSE(rows.add(at(day), seen("192.0.2.1")));
  CHECK(rows.rows() == 1);
}

#include "briefwerk/filter/spam_stage.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "briefwerk/filter/auth_facts.hpp"
#include "briefwerk/filter/chain.hpp"
#include "briefwerk/filter/mail_authentication.hpp"
#include "filter/support.hpp"

using namespace briefwerk;
using filter::spam_rule;
using filter::verdict;

namespace {

const base::manual_clock clock_of_test(base::wall_time(std::chrono::milliseconds(1'000'000'000'000)));

constexpr std::string_view good =
    "From: Ann <ann@example.org>\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nSubject: "
    "lunch\r\n\r\n"
    "See http://www.example.com/menu\r\n";

base::task<std::string> local_part(mail::mailbox_address to) { co_return to.local; }

verdict judge(filter::spam_options options, std::string_view message, const filter::auth_facts& auth = {},
              const mail::smtp_envelope& envelope = {}) {
  std::string wrong;
  const auto stage = filter::spam_stage::create(std::move(options), clock_of_test, wrong);
  REQUIRE_MESSAGE(stage.has_value(), wrong);
  filter::session_facts session;
  filter::auth_facts_of(session) = auth;
  return base::sync_wait((*stage)->message(session, envelope, {message}));
}

}  // namespace

TEST_CASE("spam stage: each rule where it belongs") {
  filter::auth_facts failed, passed;
  failed.spf = failed.dmarc = mailauth::outcome::fail;
  passed.dmarc = mailauth::outcome::pass;
  passed.dkim_domains = {"example.org"};
  const std::string html = "Content-Type: text/html\r\nSubject: BUY IT NOW, BUY\r\n\r\n<p>x";
  const struct {
    spam_rule rule;
    std::string_view message;
    const filter::auth_facts& auth;
    bool hit;
  } rows[] = {
      {{.test = "no_date"}, html, {}, true},
      {{.test = "no_date"}, good, {}, false},
      {{.test = "no_message_id"}, html, {}, true},
      {{.test = "no_message_id"}, good, {}, false},
      {{.test = "no_from"}, html, {}, true},
      {{.test = "no_from"}, good, {}, false},
      {{.test = "no_subject"}, "\r\nx", {}, true},
      {{.test = "no_subject"}, good, {}, false},
      {{.test = "html_only"}, html, {}, true},
      {{.test = "html_only"}, good, {}, false},
      {{.test = "loud_subject"}, html, {}, true},
      {{.test = "loud_subject"}, good, {}, false},
      {{.test = "spf_fail"}, good, failed, true},
      {{.test = "spf_fail"}, good, passed, false},
      {{.test = "dmarc_fail"}, good, failed, true},
      {{.test = "dmarc_fail"}, good, passed, false},
      {{.test = "dmarc_pass"}, good, passed, true},
      {{.test = "dmarc_pass"}, good, failed, false},
      {{.test = "dkim_pass"}, good, passed, true},
      {{.test = "dkim_pass"}, good, failed, false},
      {{.field = "subject", .pattern = "(?i)LUNCH"}, good, {}, true},
      {{.field = "Subject", .pattern = "ann"}, good, {}, false},
      {{.field = "Subject", .pattern = "^fr\xc3\xbch$"}, "Subject: =?utf-8?q?fr=C3=BCh?=\r\n\r\n", {}, true},
      {{.links = true, .pattern = "example\\.com$"}, good, {}, true},
      {{.links = true, .pattern = "example\\.net$"}, good, {}, false},
  };
  for (const auto& row : rows) {
    spam_rule rule = row.rule;
    rule.name = "R";
    rule.score = 2.5;
    INFO(rule.test << rule.field << rule.pattern);
    const verdict said = judge({.rules = {rule}}, row.message, row.auth);
    CHECK(said.score == (row.hit ? 2.5 : 0));
    CHECK(said.what == (row.hit ? filter::action::tag : filter::action::accept));
    REQUIRE(said.add_fields.size() == (row.hit ? 1 : 0));
    if (row.hit) CHECK(said.add_fields.front().value == "2.5 R=2.5");
  }
}

TEST_CASE("spam stage: tests of addresses, structure, time and client") {
  const auto with = [](std::string_view fields) { return std::string(fields) + "\r\nx\r\n"; };
  std::string hosts = "\r\n";
  for (int i = 0; i < 20; ++i) hosts += "http://h" + std::to_string(i) + ".example.com/ ";
  const std::string picture =
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<img src=cid:1>\r\n"
      "--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n";
  // The clock of this test stands at 9 September 2001.
  const struct {
    std::string_view test;
    std::string message;
    bool hit;
  } rows[] = {
      {"no_to", with("From: a@b.example\r\n"), true},
      {"no_to", with("Cc: a@b.example\r\n"), false},
      {"several_from", with("From: a@b.example\r\nFrom: c@b.example\r\n"), true},
      {"several_from", with("From: a@b.example\r\n"), false},
      {"date_ahead", with("Date: Wed, 12 Sep 2001 10:00:00 +0000\r\n"), true},
      {"date_ahead", with("Date: Sun, 9 Sep 2001 10:00:00 +0000\r\n"), false},
      {"date_past", with("Date: Wed, 1 Aug 2001 10:00:00 +0000\r\n"), true},
      {"date_past", with("Date: Sat, 1 Sep 2001 10:00:00 +0000\r\n"), false},
      {"date_past", with("Date: some day\r\n"), false},
      {"from_other_address", with("From: \"help@bank.example\" <x@evil.example>\r\n"), true},
      {"from_other_address", with("From: \"help@bank.example\" <x@mail.bank.example>\r\n"), false},
      {"from_other_address", with("From: =?utf-8?q?help=40bank=2Eexample?= <x@evil.example>\r\n"), true},
      {"from_other_address", with("From: Bob @ home <x@evil.example>\r\n"), false},
      {"reply_to_elsewhere", with("From: a@b.example\r\nReply-To: a@c.example\r\n"), true},
      {"reply_to_elsewhere", with("From: a@x.b.example\r\nReply-To: a@B.example\r\n"), false},
      {"reply_to_elsewhere", with("From: a@b.example\r\n"), false},
      {"image_only", picture, true},
      {"image_only", std::string(good), false},
      {"broken_mime", "Content-Type: multipart/mixed\r\n\r\nx", true},
      {"broken_mime", picture, false},
      {"many_links", hosts, true},
      {"many_links", std::string(good), false},
  };
  for (const auto& row : rows) {
    INFO(row.test << " " << row.message);
    const verdict said = judge({.rules = {{.name = "R", .test = std::string(row.test), .score = 1}}}, row.message);
    CHECK(said.score == (row.hit ? 1 : 0));
  }
}

TEST_CASE("spam stage: tests of the client, where it was checked") {
  const struct {
    std::string_view test, hello;
    bool checked;
    filter::auth_facts facts;
    bool hit;
  } rows[] = {
      {"helo_no_name", "[192.0.2.1]", false, {}, true},
      {"helo_no_name", "pc", false, {}, true},
      {"helo_no_name", "mx.example.org", false, {}, false},
      {"client_no_name", "", true, {}, true},
      {"client_no_name", "", true, {.client_name = "mx.example.org"}, false},
      {"client_no_name", "", false, {}, false},
      {"unauthenticated", "", true, {}, true},
      {"unauthenticated", "", true, {.spf = mailauth::outcome::pass}, false},
      {"unauthenticated", "", true, {.dkim_domains = {"a.example"}}, false},
      {"unauthenticated", "", false, {}, false},
      {"spf_softfail", "", true, {.spf = mailauth::outcome::softfail}, true},
      {"spf_pass", "", true, {.spf = mailauth::outcome::softfail}, false},
      {"spf_pass", "", true, {.spf = mailauth::outcome::pass}, true},
  };
  for (const auto& row : rows) {
    INFO(row.test << " " << row.hello << " " << row.checked);
    std::string wrong;
    const auto stage = filter::spam_stage::create({.rules = {{.name = "R", .test = std::string(row.test), .score = 1}}},
                                                  clock_of_test, wrong);
    filter::session_facts session;
    session.hello = row.hello;
    filter::auth_facts_of(session) = row.facts;
    if (row.checked) {
      session.notes[std::string(filter::mail_authentication::note)] = std::make_shared<filter::mail_authentication>();
    }
    CHECK(base::sync_wait((*stage)->message(session, {}, {good})).score == (row.hit ? 1 : 0));
  }
}

TEST_CASE("spam stage: rules are exchanged while it works, and counted") {
  base::metrics figures;
  std::string wrong;
  const auto stage = filter::spam_stage::create(
      {.rules = {{.name = "lunch", .field = "Subject", .pattern = "lunch", .score = 1}}, .metrics = &figures},
      clock_of_test, wrong);
  filter::session_facts session, trial;
  trial.trial = true;
  const auto score = [&](filter::session_facts& of) { return base::sync_wait((*stage)->message(of, {}, {good})).score; };
  CHECK(score(session) == 1);
  CHECK(score(trial) == 1);
  CHECK_MESSAGE(figures.get_counter("spam.rule.lunch").value() == 1, "a trial counts nothing");
  CHECK_FALSE((*stage)->set_rules({{.name = "bad"}}, wrong).has_value());
  CHECK(wrong == "the rule bad needs one of a test, a field and links");
  CHECK_MESSAGE(score(session) == 1, "the rules stay");
  wrong.clear();
  REQUIRE((*stage)->set_rules({{.name = "greeting", .field = "From", .pattern = "Ann", .score = 3}}, wrong));
  CHECK(score(session) == 3);
  CHECK((*stage)->rule_count() == 1);
}

TEST_CASE("spam stage: rules that cannot be used") {
  const struct {
    spam_rule rule;
    std::string_view says;
  } rows[] = {
      {{.name = "a b", .test = "no_date"}, "\"a b\" is no name of a rule"},
      {{.name = "A"}, "the rule A needs one of a test, a field and links"},
      {{.name = "A", .test = "no_date", .field = "Subject"}, "the rule A needs one of a test, a field and links"},
      {{.name = "A", .test = "unheard_of"}, "the rule A: there is no test \"unheard_of\""},
      {{.name = "A", .field = "Subject", .pattern = "("}, "the pattern of the rule A: missing ): ("},
  };
  for (const auto& row : rows) {
    std::string wrong;
    CHECK_FALSE(filter::spam_stage::create({.rules = {row.rule}}, clock_of_test, wrong).has_value());
    CHECK(wrong == row.says);
  }
  for (const filter::spam_test& one : filter::spam_tests()) {
    std::string wrong;
    CHECK(filter::spam_stage::create({.rules = {{.name = "A", .test = std::string(one.name)}}}, clock_of_test, wrong));
    CHECK_FALSE(one.meaning.empty());
  }
}

TEST_CASE("spam stage: the classifier's opinion, shared and of an account") {
  const auto learned = std::make_shared<filter::bayes>(filter::bayes_options{.entries = 100000, .least_messages = 3},
                                                       base::siphash_key{1, 2});
  const auto letter = [](const std::string& text, int n) {
    return "Message-ID: <" + std::to_string(n) + "@example.org>\r\n\r\n" + text;
  };
  const auto teach = [&](filter::kind_of_mail as, const std::string& text, int from, std::string_view account) {
    for (int i = from; i < from + 10; ++i) learned->learn(letter(text, i), as, account, 1'000'000'000);
  };
  const std::string bad = "buy discount lottery winner offer", fine = "agenda budget quarter review";
  CHECK_MESSAGE(judge({.classifier = learned}, letter(bad, 99)).what == filter::action::accept, "no opinion yet");
  teach(filter::kind_of_mail::spam, bad, 0, {});
  teach(filter::kind_of_mail::ham, fine, 100, {});
  CHECK_MESSAGE(judge({.classifier = learned}, letter(bad, 99)).score == 10, "at most twice");
  CHECK_MESSAGE(judge({.classifier = learned}, letter(fine, 99)).score == -5, "at least as much below nothing");
  CHECK(judge({.classifier = learned}, letter(bad, 99)).add_fields.front().value == "10.0 classifier=10.0");

  teach(filter::kind_of_mail::ham, bad, 200, "ann");
  teach(filter::kind_of_mail::ham, bad, 300, "ann");
  const filter::spam_options options = {.classifier = learned, .account_of = local_part};
  const auto to_ann = testing::envelope_of("", {"ann@example.net"}),
             to_both = testing::envelope_of("", {"ann@example.net", "bob@example.net"});
  CHECK_MESSAGE(judge(options, letter(bad, 99), {}, to_ann).score < 5, "she wants it");
  CHECK_MESSAGE(judge(options, letter(bad, 99), {}, to_both).score == 10, "what all share");
}

#include "briefwerk/mailauth/dmarc.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/mailauth/public_suffix.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth::dmarc;
using mailauth::author_fault;
using mailauth::outcome;

namespace {

using base::dns_type;
using questions = std::vector<std::string>;

const mailauth::public_suffix_list& suffixes() {
  static const auto list = mailauth::public_suffix_list::newest().value();
  return list;
}

options by_list() { return {.method = discovery::public_suffix, .suffixes = &suffixes(), .sample = {}}; }

evaluation run(base::scripted_resolver& dns, std::string_view from, input found, options how = {}) {
  return base::sync_wait(evaluate(dns, mailauth::read_author("From: " + std::string(from) + "\r\n\r\n"),
                                  std::move(found), std::move(how)));
}

input spf(outcome result, std::string domain) { return {.spf = {result, std::move(domain)}, .dkim = {}}; }
input dkim(std::vector<dkim_input> all) { return {.spf = {}, .dkim = std::move(all)}; }

questions asked(const base::scripted_resolver& dns) {
  questions out;
  for (const auto& one : dns.asked()) out.push_back(one.name);
  return out;
}

}  // namespace

TEST_CASE("alignment, RFC 9989 §4.4 and appendix B.1") {
  struct row {
    std::string why;
    std::string record;
    input found;
    outcome expected;
  };
  using enum outcome;
  const row rows[] = {
      {"SPF, the same domain", "p=reject", spf(pass, "example.org"), pass},
      {"case does not count", "p=reject", spf(pass, "EXAMPLE.org"), pass},
      {"SPF, a subdomain, relaxed", "p=reject", spf(pass, "bounce.example.org"), pass},
      {"SPF, a subdomain, strict", "p=reject; aspf=s", spf(pass, "bounce.example.org"), fail},
      {"adkim is not aspf", "p=reject; adkim=s", spf(pass, "bounce.example.org"), pass},
      {"SPF, another domain", "p=reject", spf(pass, "example.net"), fail},
      {"SPF that did not pass", "p=reject", spf(softfail, "example.org"), fail},
      {"neutral is no pass", "p=reject", spf(neutral, "example.org"), fail},
      {"not merely a suffix of the text", "p=reject", spf(pass, "anexample.org"), fail},
      {"DKIM", "p=reject", dkim({{pass, "example.org", "s"}}), pass},
      {"DKIM, relaxed", "p=reject", dkim({{pass, "mail.example.org", "s"}}), pass},
      {"DKIM, strict", "p=reject; adkim=s", dkim({{pass, "mail.example.org", "s"}}), fail},
      {"one of several signatures is enough", "p=reject",
       dkim({{pass, "list.example", "s"}, {pass, "example.org", "t"}}), pass},
      {"a broken one does no harm", "p=reject", dkim({{fail, "example.org", "s"}, {pass, "example.org", "t"}}), pass},
      {"a pass of another, a fail of the author's", "p=reject",
       dkim({{pass, "list.example", "s"}, {fail, "example.org", "t"}}), fail},
      {"policy is no pass: a weak key", "p=reject", dkim({{policy, "example.org", "s"}}), fail},
      {"nothing at all", "p=reject", {}, fail},
      {"a top level is aligned with nobody", "p=reject", spf(pass, "org"), fail},
      {"a domain that is none", "p=reject", spf(pass, "exa mple.org"), fail},
      {"SPF in U-labels", "p=reject", spf(pass, "bücher.example.org"), pass},
  };
  for (const auto method : {discovery::tree_walk, discovery::public_suffix}) {
    for (const auto& r : rows) {
      CAPTURE(r.why);
      CAPTURE(to_string(policy::none));
      base::scripted_resolver dns;
      dns.add_txt("_dmarc.example.org", "v=DMARC1; " + r.record);
      auto how = by_list();
      how.method = method;
      const auto found = run(dns, "jane@example.org", r.found, how);
      CHECK(found.result == r.expected);
      CHECK(found.policy_domain == "example.org");
      CHECK(found.disposition ==
            (r.expected == fail ? mailauth::dmarc::policy::reject : mailauth::dmarc::policy::none));
      CHECK((found.spf_aligned() || found.dkim_aligned()) == (r.expected == pass));
    }
  }
}

TEST_CASE("RFC 9989 §4.10: the tree walk asks at most eight names") {
  base::scripted_resolver dns;
  const auto found = run(dns, "x@a.b.c.d.e.f.g.h.i.j.mail.example.com", {});
  CHECK(found.result == outcome::none);
  CHECK(asked(dns) == questions{"_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com", "_dmarc.g.h.i.j.mail.example.com",
                                "_dmarc.h.i.j.mail.example.com", "_dmarc.i.j.mail.example.com",
                                "_dmarc.j.mail.example.com", "_dmarc.mail.example.com", "_dmarc.example.com",
                                "_dmarc.com"});

  base::scripted_resolver eight;
  run(eight, "x@a.b.c.d.e.f.g.example", {});
  CHECK(eight.asked().size() == 8);
  CHECK(asked(eight)[1] == "_dmarc.b.c.d.e.f.g.example");
}

TEST_CASE("RFC 7489 §6.6.3: by the list two names are asked at most") {
  base::scripted_resolver dns;
  const auto found = run(dns, "x@a.b.c.example.co.uk", {}, by_list());
  CHECK(found.result == outcome::none);
  CHECK(asked(dns) == questions{"_dmarc.a.b.c.example.co.uk", "_dmarc.example.co.uk"});
}

TEST_CASE("where a policy is found, and for whom it speaks") {
  struct record_at {
    std::string name, text;
  };
  struct row {
    std::string why;
    std::vector<record_at> records;
    std::string from;
    outcome result;
    std::string where;
    subject whom;
    policy requested;
  };
  using enum subject;
  const row rows[] = {
      {"the author's own",
       {{"example.org", "p=quarantine"}},
       "example.org",
       outcome::fail,
       "example.org",
       own,
       policy::quarantine},
      {"the organization's",
       {{"example.org", "p=reject"}},
       "a.b.example.org",
       outcome::fail,
       "example.org",
       subdomain,
       policy::reject},
      {"sp",
       {{"example.org", "p=reject; sp=none"}},
       "a.example.org",
       outcome::fail,
       "example.org",
       subdomain,
       policy::none},
      {"sp is not for the domain itself",
       {{"example.org", "p=reject; sp=none"}},
       "example.org",
       outcome::fail,
       "example.org",
       own,
       policy::reject},
      {"np for names that do not exist",
       {{"example.org", "p=none; sp=quarantine; np=reject"}},
       "missing.example.org",
       outcome::fail,
       "example.org",
       missing_subdomain,
       policy::reject},
      {"sp for those that do",
       {{"example.org", "p=none; sp=quarantine; np=reject"}},
       "there.example.org",
       outcome::fail,
       "example.org",
       subdomain,
       policy::quarantine},
      {"a record of the subdomain wins",
       {{"example.org", "p=reject"}, {"a.example.org", "p=none"}},
       "a.example.org",
       outcome::fail,
       "a.example.org",
       own,
       policy::none},
      {"RFC 9989 §4.10.2 (3) the fewest labels are the organization",
       {{"example.org", "p=reject"}, {"b.example.org", "p=none"}},
       "a.b.example.org",
       outcome::fail,
       "example.org",
       subdomain,
       policy::reject},
      {"(1) psd=n ends the walk",
       {{"example.org", "p=reject"}, {"b.example.org", "p=quarantine; psd=n"}},
       "a.b.example.org",
       outcome::fail,
       "b.example.org",
       subdomain,
       policy::quarantine},
      {"(2) a suffix's record speaks for those without one",
       {{"org", "psd=y; p=none; np=reject"}},
       "missing.org",
       outcome::fail,
       "org",
       missing_subdomain,
       policy::reject},
      {"the organization's record wins over the suffix's",
       {{"org", "psd=y; p=reject"}, {"example.org", "p=none"}},
       "a.example.org",
       outcome::fail,
       "example.org",
       subdomain,
       policy::none},
      {"nobody's", {{"example.net", "p=reject"}}, "example.org", outcome::none, "", own, policy::none},
      {"a record that is none of ours",
       {{"example.org", ""}},
       "example.org",
       outcome::fail,
       "example.org",
       own,
       policy::none},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    base::scripted_resolver dns;
    dns.add_address("there.example.org", "192.0.2.1");
    for (const auto& one : r.records) dns.add_txt("_dmarc." + one.name, "v=DMARC1; " + one.text);
    const auto found = run(dns, "x@" + r.from, spf(outcome::pass, "evil.example"));
    CHECK(found.result == r.result);
    CHECK(found.policy_domain == r.where);
    CHECK(found.speaks_of == r.whom);
    CHECK(found.requested == r.requested);
    CHECK(found.disposition == r.requested);
  }
}

TEST_CASE("organizational domains by the walk, RFC 9989 appendix B.5") {
  base::scripted_resolver dns;
  dns.add_txt("_dmarc.mail.example.com", "v=DMARC1; p=none").add_txt("_dmarc.example.com", "v=DMARC1; p=none");
  dns.add_txt("_dmarc.giant.bank.example", "v=DMARC1; p=reject; psd=n")
      .add_txt("_dmarc.bank.example", "v=DMARC1; p=none; psd=y");
  dns.add_txt("_dmarc.mega.example.co", "v=DMARC1; p=reject").add_txt("_dmarc.example.co", "v=DMARC1; psd=y");
  dns.add_failure("_dmarc.lost.example", dns_type::txt);
  struct row {
    std::string why;
    std::string domain, expected;
  };
  const row rows[] = {
      {"the shortest name with a record", "a.mail.example.com", "example.com"},
      {"psd=n", "x.giant.bank.example", "giant.bank.example"},
      {"one below psd=y", "a.b.other.bank.example", "other.bank.example"},
      {"a suffix is its own organization", "bank.example", "bank.example"},
      {"a record below the suffix", "news.mega.example.co", "mega.example.co"},
      {"no record anywhere", "a.b.example.net", "a.b.example.net"},
      {"a temporary error", "a.lost.example", ""},
      {"no domain", "a..b", ""},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    CHECK(base::sync_wait(organizational_domain(dns, r.domain)) == r.expected);
  }
  CHECK(base::sync_wait(organizational_domain(dns, "a.b.example.co.uk", by_list())) == "example.co.uk");
  CHECK(base::sync_wait(organizational_domain(dns, "co.uk", by_list())) == "co.uk");
}

TEST_CASE("psd=y keeps two tenants of one suffix apart") {
  base::scripted_resolver dns;
  dns.add_txt("_dmarc.hosting.example", "v=DMARC1; p=reject; psd=y");
  CHECK(run(dns, "x@a.hosting.example", spf(outcome::pass, "b.hosting.example")).result == outcome::fail);
  CHECK(run(dns, "x@mail.a.hosting.example", spf(outcome::pass, "a.hosting.example")).result == outcome::pass);
}

TEST_CASE("DNS trouble is temperror, and asks for nothing") {
  struct row {
    std::string why;
    std::string failing;
    dns_type type;
    std::string from;
    input found;
    outcome expected;
  };
  using enum outcome;
  const row rows[] = {
      {"the author's record", "_dmarc.example.org", dns_type::txt, "example.org", {}, temperror},
      {"the organization's record", "_dmarc.example.org", dns_type::txt, "a.example.org", {}, temperror},
      {"whether the name exists", "a.np.example", dns_type::a, "a.np.example", {}, temperror},
      {"which it need not know when it passes", "a.np.example", dns_type::a, "a.np.example", spf(pass, "np.example"),
       pass},
      {"the walk of an identifier", "_dmarc.x.other.example", dns_type::txt, "np.example", spf(pass, "x.other.example"),
       temperror},
      {"which does not matter when another is aligned",
       "_dmarc.x.other.example",
       dns_type::txt,
       "np.example",
       {.spf = {pass, "x.other.example"}, .dkim = {{pass, "np.example", "s"}}},
       pass},
      {"of an identifier that failed nothing is asked", "_dmarc.x.other.example", dns_type::txt, "np.example",
       spf(fail, "x.other.example"), fail},
      {"RFC 9989 §5.3.6 SPF had a temporary error", "unrelated", dns_type::txt, "np.example",
       spf(temperror, "np.example"), temperror},
      {"which does not matter for another domain", "unrelated", dns_type::txt, "np.example",
       spf(temperror, "other.example"), fail},
      {"DKIM had one", "unrelated", dns_type::txt, "np.example", dkim({{temperror, "mail.np.example", "s"}}),
       temperror},
      {"but another signature passed", "unrelated", dns_type::txt, "np.example",
       dkim({{temperror, "np.example", "s"}, {pass, "np.example", "t"}}), pass},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    base::scripted_resolver dns;
    dns.add_txt("_dmarc.np.example", "v=DMARC1; p=reject; np=reject");
    dns.add_failure(r.failing, r.type);
    const auto found = run(dns, "x@" + r.from, r.found);
    CHECK(found.result == r.expected);
    CHECK(found.disposition == (r.expected == fail ? mailauth::dmarc::policy::reject : mailauth::dmarc::policy::none));
  }
  // Without the list only a record of the domain's own can be found.
  const options no_list{.method = discovery::public_suffix, .suffixes = nullptr, .sample = {}};
  base::scripted_resolver dns;
  dns.add_txt("_dmarc.example.org", "v=DMARC1; p=reject");
  CHECK(run(dns, "x@example.org", {}, no_list).result == outcome::fail);
  CHECK(run(dns, "x@a.example.org", {}, no_list).result == outcome::temperror);
}

TEST_CASE("several records, other records, broken records") {
  base::scripted_resolver dns;
  dns.add_txt("_dmarc.two.example", "v=DMARC1; p=reject").add_txt("_dmarc.two.example", "v=DMARC1; p=none");
  dns.add_txt("_dmarc.noise.example", "v=spf1 -all").add_txt("_dmarc.noise.example", "v=DMARC1; p=reject");
  dns.add_txt("_dmarc.broken.example", "v=DMARC1; p=refuse");
  dns.add_txt("_dmarc.report.example", "v=DMARC1; p=refuse; rua=mailto:a@report.example");
  dns.add_txt("_dmarc.sub.broken.example", "other=1");
  CHECK(run(dns, "x@two.example", {}).result == outcome::none);
  CHECK(run(dns, "x@noise.example", {}).disposition == policy::reject);
  const auto broken = run(dns, "x@broken.example", spf(outcome::pass, "broken.example"));
  CHECK(broken.result == outcome::permerror);
  CHECK(broken.disposition == policy::none);
  CHECK(broken.policy_domain == "broken.example");
  CHECK(run(dns, "x@sub.broken.example", {}).result == outcome::permerror);
  const auto report = run(dns, "x@report.example", {});
  CHECK(report.result == outcome::fail);
  CHECK(report.disposition == policy::none);
  CHECK(run(dns, "x@report.example", spf(outcome::pass, "report.example")).result == outcome::pass);
}

TEST_CASE("pct and t") {
  struct row {
    std::string why;
    std::string record;
    unsigned random;
    policy disposition;
    bool sampled_out, test_mode;
  };
  using enum policy;
  const row rows[] = {
      {"in the sample", "p=reject; pct=30", 29, reject, false, false},
      {"RFC 7489 §6.6.4 out of it: one level milder", "p=reject; pct=30", 30, quarantine, true, false},
      {"quarantine becomes none", "p=quarantine; pct=30", 99, none, true, false},
      {"pct=0", "p=reject; pct=0", 0, quarantine, true, false},
      {"pct=100", "p=reject; pct=100", 99, reject, false, false},
      {"of none there is no sample", "p=none; pct=0", 99, none, false, false},
      {"RFC 9989 §4.7 t=y", "p=reject; t=y", 0, quarantine, false, true},
      {"t=y with quarantine", "p=quarantine; t=y", 0, none, false, true},
      {"t=y with none has no effect", "p=none; t=y", 0, none, false, true},
      {"both: one level only", "p=reject; t=y; pct=0", 99, quarantine, false, true},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    base::scripted_resolver dns;
    dns.add_txt("_dmarc.example.org", "v=DMARC1; " + r.record);
    unsigned drawn = 0;
    const auto found =
        run(dns, "x@example.org", {}, {.method = discovery::tree_walk, .suffixes = nullptr, .sample = [&] {
                                         ++drawn;
                                         return r.random;
                                       }});
    CHECK(found.result == outcome::fail);
    CHECK(found.disposition == r.disposition);
    CHECK(found.sampled_out == r.sampled_out);
    CHECK(found.test_mode == (r.test_mode && found.requested != none));
    CHECK(drawn <= 1);
  }
}

TEST_CASE("an author at fault never passes, and gets the strictest wish") {
  base::scripted_resolver dns;
  dns.add_txt("_dmarc.bank.example", "v=DMARC1; p=reject").add_txt("_dmarc.evil.example", "v=DMARC1; p=none");
  dns.add_txt("_dmarc.shop.example", "v=DMARC1; p=quarantine");
  struct row {
    std::string why;
    std::string header;
    input found;
    author_fault fault;
    policy disposition;
  };
  using enum policy;
  const auto evil = spf(outcome::pass, "evil.example");
  const auto bank = spf(outcome::pass, "bank.example");
  const row rows[] = {
      {"two fields, the attacker's first", "From: x@evil.example\r\nFrom: a@bank.example\r\n", evil,
       author_fault::several_fields, reject},
      {"two fields, the attacker's last", "From: a@bank.example\r\nFrom: x@evil.example\r\n", evil,
       author_fault::several_fields, reject},
      {"two fields, both of who passes", "From: a@bank.example\r\nFrom: b@bank.example\r\n", bank,
       author_fault::several_fields, reject},
      {"a list", "From: x@evil.example, a@bank.example\r\n", evil, author_fault::several_domains, reject},
      {"RFC 7489 §6.6.1 of those that fail only", "From: x@shop.example, a@bank.example\r\n", bank,
       author_fault::several_domains, quarantine},
      {"no policy, no wish", "From: x@a.example, a@b.example\r\n", evil, author_fault::several_domains, none},
      {"an address as a name", "From: a@bank.example <x@evil.example>\r\n", evil, author_fault::malformed, reject},
      {"no From", "Subject: x\r\n", evil, author_fault::no_field, none},
      {"a literal", "From: a@[192.0.2.1]\r\n", evil, author_fault::address_literal, none},
      {"left out domains are taken for suspicious",
       "From: x@a.example, x@b.example, x@c.example, x@d.example, a@bank.example\r\n", evil, author_fault::too_long,
       quarantine},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    const auto found = base::sync_wait(evaluate(dns, mailauth::read_author(r.header + "\r\n"), r.found));
    CHECK(found.result == outcome::permerror);
    CHECK(found.fault == r.fault);
    CHECK(found.disposition == r.disposition);
  }
}

TEST_CASE("no name is asked twice, and no more than needed") {
  base::scripted_resolver dns;
  dns.add_txt("_dmarc.example.org", "v=DMARC1; p=reject");
  run(dns, "x@mail.example.org",
      dkim({{outcome::pass, "news.example.org", "a"}, {outcome::pass, "news.example.org", "b"}}));
  auto names = asked(dns);
  std::ranges::sort(names);
  CHECK(std::ranges::adjacent_find(names) == names.end());

  base::scripted_resolver simple;
  simple.add_txt("_dmarc.example.org", "v=DMARC1; p=reject");
  run(simple, "x@example.org", {.spf = {outcome::pass, "example.org"}, .dkim = {{outcome::pass, "esp.example", "s"}}});
  CHECK(asked(simple) == questions{"_dmarc.example.org"});

  std::vector<dkim_input> many;
  for (std::size_t i = 0; i <= base::limits::dmarc_identifiers; ++i) many.push_back({outcome::fail, "x.example", "s"});
  CHECK(run(simple, "x@example.org", dkim(many)).dkim.size() == base::limits::dmarc_identifiers);
}

TEST_CASE("the steps of an evaluation") {
  base::scripted_resolver dns;
  dns.add_txt("_dmarc.example.org", "v=DMARC1; p=reject; pct=200");
  mailauth::trace_list steps;
  base::sync_wait(evaluate(dns, mailauth::read_author("From: x@a.example.org\r\n\r\n"),
                           spf(outcome::pass, "b.example.org"), {}, mailauth::tracer(&steps)));
  std::string all;
  for (const auto& one : steps.steps()) all += std::string(one.what) + ": " + one.text + "\n";
  for (const auto* part : {"_dmarc.a.example.org", "\"v=DMARC1; p=reject; pct=200\"", "pct: no number from 0 to 100",
                           "organizational domain of b.example.org: example.org",
                           "b.example.org is aligned with a.example.org (relaxed)", "dmarc: pass"}) {
    CAPTURE(all);
    CHECK(all.find(part) != all.npos);
  }
}

// The check: limits, macros, identities, explanation and trace. The suite of openspf.org is in spf_suite.cpp.

#include "briefwerk/mailauth/spf.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "briefwerk/base/scripted_resolver.hpp"

using namespace briefwerk::mailauth;
namespace base = briefwerk::base;

namespace {

spf::request about(std::string_view ip = "192.0.2.1", std::string sender = "strong-bad@email.example.com",
                   std::string helo = "mail.example.net") {
  spf::request out;
  out.ip = base::ip_address::parse(ip).value();
  out.helo = std::move(helo);
  out.sender = std::move(sender);
  out.receiver = "mx.example.org";
  return out;
}

spf::verdict check(base::resolver& dns, spf::request what, spf::check_options options = {}) {
  return base::sync_wait(spf::check_mail_from(dns, std::move(what), {}, options));
}

// The explanation is the window through which expansions are seen.
std::string expanded(std::string_view text, spf::request what) {
  base::scripted_resolver dns;
  dns.add_txt("email.example.com", "v=spf1 -all exp=e.example").add_txt("e.example", text);
  dns.add_ptr("192.0.2.3", "host.example.org").add_address("host.example.org", "192.0.2.3");
  dns.add_ptr("2001:db8::cb01", "host.email.example.com").add_ptr("2001:db8::cb01", "forged.example");
  dns.add_address("host.email.example.com", "2001:db8::cb01");
  base::manual_clock clock(base::wall_time(std::chrono::milliseconds(1234567890123)));
  spf::check_options options;
  options.clock = &clock;
  return check(dns, std::move(what), options).explanation;
}

// A chain of `length` records that include each other, so that a check needs that many look-ups.
void add_chain(base::scripted_resolver& dns, int length, std::string_view term) {
  for (int i = 0; i < length; ++i)
    dns.add_txt("c" + std::to_string(i) + ".example",
                "v=spf1 " + std::string(term) + "c" + std::to_string(i + 1) + ".example");
  dns.add_txt("c" + std::to_string(length) + ".example", "v=spf1 +all");
}

// The clock goes on by five seconds with each question.
class slow_resolver final : public base::resolver {
 public:
  slow_resolver(base::resolver& from, base::manual_clock& clock) : from_(from), clock_(clock) {}
  base::task<base::dns_answer> query(std::string name, base::dns_type type) override {
    clock_.advance(std::chrono::seconds(5));
    return from_.query(std::move(name), type);
  }

 private:
  base::resolver& from_;
  base::manual_clock& clock_;
};

}  // namespace

TEST_CASE("RFC 7208 §7.4: the examples of macro expansion") {
  const spf::request v4 = about("192.0.2.3");
  const spf::request v6 = about("2001:db8::cb01");
  struct row {
    std::string_view text, out;
  };
  const row rows[] = {
      {"%{s}", "strong-bad@email.example.com"},
      {"%{o}", "email.example.com"},
      {"%{d}", "email.example.com"},
      {"%{d4}", "email.example.com"},
      {"%{d3}", "email.example.com"},
      {"%{d2}", "example.com"},
      {"%{d1}", "com"},
      {"%{dr}", "com.example.email"},
      {"%{d2r}", "example.email"},
      {"%{l}", "strong-bad"},
      {"%{l-}", "strong.bad"},
      {"%{lr}", "strong-bad"},
      {"%{lr-}", "bad.strong"},
      {"%{l1r-}", "strong"},
      {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
      {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
      {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
      {"%{h} %{c} %{r} %{t}", "mail.example.net 192.0.2.3 mx.example.org 1234567890"},
      {"%{S}", "strong-bad%40email.example.com"},
      {"%{l1r-+,/_=}%%%_%-", "strong% %20"},
      {"%{p}", "host.example.org"},
      {"%{d-}", "email.example.com"},
  };
  for (const row& each : rows) {
    CAPTURE(each.text);
    CHECK(expanded(each.text, v4) == each.out);
  }
  CHECK(expanded("%{ir}.%{v}._spf.%{d2}", v6) ==
        "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com");
  CHECK(expanded("%{p}", v6) == "host.email.example.com");
  CHECK(expanded("%{p}", about("192.0.2.4")) == "unknown");
  CHECK(expanded("%{r}", [&] {
          auto it = v4;
          it.receiver = "";
          return it;
        }()) == "unknown");
}

TEST_CASE("explanations stay text") {
  CHECK(expanded("%{h}", about("192.0.2.3", "a@email.example.com", "x\r\nBcc: y\x1b[2J")) ==
        "x\\x0d\\x0aBcc: y\\x1b[2J");
  std::string longest;
  for (int i = 0; i < 200; ++i) longest += "%{s}";
  CHECK(expanded(longest, about()).empty());
  CHECK(expanded("%{l}", about("192.0.2.3", "jürgen@email.example.com")).empty());
  CHECK(expanded("for %{d}", about("192.0.2.3", "jürgen@email.example.com")) == "for email.example.com");
}

TEST_CASE("§4.6.4: ten look-ups, counted over include and redirect") {
  for (const char* term : {"include:", "redirect="}) {
    CAPTURE(term);
    base::scripted_resolver dns;
    add_chain(dns, 12, term);
    CHECK(check(dns, about("192.0.2.1", "a@c2.example")).result == outcome::pass);
    CHECK(check(dns, about("192.0.2.1", "a@c2.example")).lookups == 10);
    const auto over = check(dns, about("192.0.2.1", "a@c1.example"));
    CHECK(over.result == outcome::permerror);
    CHECK(over.problem.contains("more than 10 terms"));
  }
  base::scripted_resolver loop;
  loop.add_txt("a.example", "v=spf1 include:b.example").add_txt("b.example", "v=spf1 redirect=a.example");
  CHECK(check(loop, about("192.0.2.1", "x@a.example")).result == outcome::permerror);
  CHECK(loop.asked().size() == 11);
  loop.add_txt("self.example", "v=spf1 ip4:192.0.2.1 include:%{d}");
  CHECK(check(loop, about("192.0.2.1", "x@self.example")).result == outcome::pass);
  CHECK(check(loop, about("192.0.2.2", "x@self.example")).result == outcome::permerror);
}

TEST_CASE("§4.6.4: two look-ups without an answer") {
  base::scripted_resolver dns;
  dns.add_txt("two.example", "v=spf1 a:1.void.example mx:2.void.example ?all");
  dns.add_txt("three.example", "v=spf1 a:1.void.example exists:2.void.example mx:3.void.example +all");
  dns.add_txt("mx.example", "v=spf1 mx +all");
  for (const char* name : {"1.void.example", "2.void.example", "3.void.example"}) dns.add_mx("mx.example", 10, name);
  dns.add_txt("exp.example", "v=spf1 a:1.void.example a:2.void.example -all exp=3.void.example");
  dns.add_txt("malformed.example", "v=spf1 a:a..example a:b..example a:c..example ?all");
  dns.add_txt("p.example", "v=spf1 a:%{p}.void.example a:%{p}.void2.example +all");
  CHECK(check(dns, about("192.0.2.1", "x@two.example")).result == outcome::neutral);
  CHECK(check(dns, about("192.0.2.1", "x@two.example")).void_lookups == 2);
  CHECK(check(dns, about("192.0.2.1", "x@three.example")).result == outcome::permerror);
  CHECK(check(dns, about("192.0.2.1", "x@mx.example")).result == outcome::permerror);
  CHECK(check(dns, about("192.0.2.1", "x@exp.example")).result == outcome::fail);
  CHECK(check(dns, about("192.0.2.1", "x@malformed.example")).result == outcome::neutral);
  // One for the names of the address, one each for the two terms.
  CHECK(check(dns, about("192.0.2.1", "x@p.example")).result == outcome::permerror);
  spf::check_options wider;
  wider.limits.void_lookups = 3;
  CHECK(check(dns, about("192.0.2.1", "x@three.example"), wider).result == outcome::pass);
}

TEST_CASE("§4.6.4: ten MX names, ten PTR names") {
  base::scripted_resolver dns;
  dns.add_txt("mx.example", "v=spf1 mx -all").add_txt("ptr.example", "v=spf1 ptr -all");
  for (int i = 0; i < 10; ++i) dns.add_mx("mx.example", 10, "mx.example");
  dns.add_address("mx.example", "192.0.2.9").add_address("h.ptr.example", "192.0.2.1");
  CHECK(check(dns, about("192.0.2.9", "x@mx.example")).result == outcome::pass);
  dns.add_mx("mx.example", 10, "mx.example");
  CHECK(check(dns, about("192.0.2.9", "x@mx.example")).result == outcome::permerror);
  for (int i = 0; i < 9; ++i) dns.add_ptr("192.0.2.1", "mx.example");
  dns.add_ptr("192.0.2.1", "h.ptr.example");
  CHECK(check(dns, about("192.0.2.1", "x@ptr.example")).result == outcome::pass);
  base::scripted_resolver more;
  more.add_txt("ptr.example", "v=spf1 ptr -all")
      .add_address("h.ptr.example", "192.0.2.1")
      .add_address("x.example", "192.0.2.2");
  for (int i = 0; i < 10; ++i) more.add_ptr("192.0.2.1", "x.example");
  more.add_ptr("192.0.2.1", "h.ptr.example");
  CHECK(check(more, about("192.0.2.1", "x@ptr.example")).result == outcome::fail);
}

TEST_CASE("trouble with DNS") {
  struct row {
    const char* why;
    std::string_view record;
    outcome result;
  };
  const row rows[] = {
      {"§5.3", "v=spf1 a:broken.example +all", outcome::temperror},
      {"§5.4", "v=spf1 mx:broken.example +all", outcome::temperror},
      {"§5.4, an address of an exchange", "v=spf1 mx:exchange.example +all", outcome::temperror},
      {"§5.7", "v=spf1 exists:broken.example +all", outcome::temperror},
      {"§5.2", "v=spf1 include:broken.example +all", outcome::temperror},
      {"§6.1", "v=spf1 redirect=broken.example", outcome::temperror},
      {"§5.5: never an error", "v=spf1 -ptr +all", outcome::pass},
      {"not asked", "v=spf1 +all a:broken.example", outcome::pass},
      {"§6.2: no explanation", "v=spf1 -all exp=broken.example", outcome::fail},
  };
  for (const row& each : rows) {
    CAPTURE(each.why);
    base::scripted_resolver dns;
    dns.add_failure("broken.example")
        .add_mx("exchange.example", 1, "broken.example")
        .add_failure("1.2.0.192.in-addr.arpa");
    dns.add_txt("x.example", each.record);
    const auto found = check(dns, about("192.0.2.1", "a@x.example"));
    CHECK(found.result == each.result);
    CHECK(found.problem.empty() == (each.result != outcome::temperror));
  }
  base::scripted_resolver dns;
  dns.add_failure("broken.example");
  CHECK(check(dns, about("192.0.2.1", "a@broken.example")).result == outcome::temperror);
  CHECK(check(dns, about("192.0.2.1", "a@absent.example")).result == outcome::none);
}

TEST_CASE("§4.6.4: a check that takes too long ends with temperror") {
  for (const char* record : {"v=spf1 a mx a mx a mx -all", "v=spf1 a a a a ptr -all"}) {
    base::scripted_resolver dns;
    dns.add_txt("x.example", record).add_address("x.example", "192.0.2.9").add_mx("x.example", 1, "x.example");
    base::manual_clock clock(base::wall_time{});
    slow_resolver slow(dns, clock);
    spf::check_options options;
    options.clock = &clock;
    CHECK(check(slow, about("192.0.2.1", "a@x.example"), options).result == outcome::temperror);
    CHECK(dns.asked().size() == 5);  // at 0, 5, 10, 15 and 20 seconds
  }
}

TEST_CASE("§2.3, §2.4: identities") {
  base::scripted_resolver dns;
  dns.add_txt("mail.example.net", "v=spf1 exists:%{l}.%{o}.seen.example -all").add_txt("b.example", "v=spf1 +all");
  dns.add_address("postmaster.mail.example.net.seen.example", "127.0.0.2");
  const auto null = check(dns, about("192.0.2.1", ""));
  CHECK(null.result == outcome::pass);
  CHECK(null.checked == spf::identity::helo);
  CHECK(null.sender == "postmaster@mail.example.net");
  const auto helo = base::sync_wait(spf::check_helo(dns, about("192.0.2.1", "a@b.example")));
  CHECK(helo.result == outcome::pass);
  CHECK(helo.domain == "mail.example.net");
  const auto from = check(dns, about("192.0.2.1", "\"x@y\"@B.Example."));
  CHECK(from.result == outcome::pass);
  CHECK(from.checked == spf::identity::mail_from);
  CHECK(from.domain == "b.example");
  for (const char* none : {"a@single", "a@[192.0.2.1]", "a@", "a@b..example", "a@.example", "a@\xff.example"}) {
    CAPTURE(none);
    CHECK(check(dns, about("192.0.2.1", none)).result == outcome::none);
  }
}

TEST_CASE("RFC 8616 §4: internationalised mail") {
  base::scripted_resolver dns;
  dns.add_txt("xn--bcher-kva.example", "v=spf1 exists:%{d}.seen.example -all");
  dns.add_address("xn--bcher-kva.example.seen.example", "127.0.0.2");
  const auto found = check(dns, about("192.0.2.1", "jürgen@bücher.example"));
  CHECK(found.result == outcome::pass);
  CHECK(found.domain == "xn--bcher-kva.example");
  CHECK(found.sender == "jürgen@xn--bcher-kva.example");
  dns.add_txt("l.example", "v=spf1 -exists:%{l}.seen.example -include:%{s}.seen.example +all");
  // The terms do not match, and nobody is asked; an include that cannot match is no record, so permerror.
  CHECK(check(dns, about("192.0.2.1", "jürgen@l.example")).result == outcome::permerror);
  dns.add_txt("m.example", "v=spf1 -exists:%{l}.seen.example +all");
  CHECK(check(dns, about("192.0.2.1", "jürgen@m.example")).result == outcome::pass);
  dns.add_txt("h.example", "v=spf1 a:%{h} -all").add_address("xn--bcher-kva.example", "192.0.2.1");
  CHECK(check(dns, about("192.0.2.1", "a@h.example", "bücher.example")).result == outcome::pass);
  CHECK(check(dns, about("192.0.2.1", "a@h.example", "\xff.example")).result == outcome::fail);
}

TEST_CASE("what matched, and where") {
  base::scripted_resolver dns;
  dns.add_txt("a.example", "v=spf1 ip4:192.0.2.1 ~include:b.example redirect=c.example");
  dns.add_txt("b.example", "v=spf1 ip4:192.0.2.2 -all exp=e.example")
      .add_txt("c.example", "v=spf1 -ip4:192.0.2.3 exp=e.example");
  dns.add_txt("e.example", "no, %{i}, says %{d}");
  struct row {
    std::string_view ip;
    outcome result;
    std::string_view mechanism, in_domain, explanation;
  };
  const row rows[] = {
      {"192.0.2.1", outcome::pass, "ip4:192.0.2.1", "a.example", ""},
      {"192.0.2.2", outcome::softfail, "~include:b.example", "a.example", ""},
      {"192.0.2.3", outcome::fail, "-ip4:192.0.2.3", "c.example", "no, 192.0.2.3, says c.example"},
      {"192.0.2.4", outcome::neutral, "default", "c.example", ""},
  };
  for (const row& each : rows) {
    CAPTURE(each.ip);
    const auto found = check(dns, about(each.ip, "x@a.example"));
    CHECK(found.result == each.result);
    CHECK(found.mechanism == each.mechanism);
    CHECK(found.in_domain == each.in_domain);
    CHECK(found.explanation == each.explanation);
    CHECK(found.problem.empty());
  }
  spf::check_options silent;
  silent.explain = false;
  CHECK(check(dns, about("192.0.2.3", "x@a.example"), silent).explanation.empty());
}

TEST_CASE("mapped addresses are IPv4; an IPv6 network that holds them does not match IPv4") {
  base::scripted_resolver dns;
  dns.add_txt("a.example", "v=spf1 ip6:::ffff:192.0.2.1 ip6:::/0 -all")
      .add_txt("b.example", "v=spf1 ip6:::ffff:1.2.3.4/80 -all");
  CHECK(check(dns, about("::ffff:192.0.2.1", "x@a.example")).result == outcome::fail);
  CHECK(check(dns, about("2001:db8::1", "x@a.example")).result == outcome::pass);
  CHECK(check(dns, about("::1", "x@b.example")).result == outcome::pass);
  CHECK(check(dns, about("2001:db8::1", "x@b.example")).result == outcome::fail);
}

TEST_CASE("the trace tells each question and each reason") {
  base::scripted_resolver dns;
  dns.add_txt("a.example", "v=spf1 include:b.example -all").add_txt("b.example", "v=spf1 mx ?all");
  dns.add_mx("b.example", 10, "m.b.example").add_address("m.b.example", "192.0.2.9");
  trace_list list;
  base::sync_wait(spf::check_mail_from(dns, about("192.0.2.1", "x@a.example"), tracer(&list)));
  std::string text;
  for (const trace_step& each : list.steps())
    text += std::string(static_cast<std::size_t>(each.depth), '>') + std::string(each.what) + " " + each.text + "\n";
  CHECK(text ==
        "spf may 192.0.2.1 send for a.example? (mailfrom x@a.example)\n"
        ">dns TXT a.example: \"v=spf1 include:b.example -all\"\n"
        ">spf include:b.example of a.example\n"
        ">>dns TXT b.example: \"v=spf1 mx ?all\"\n"
        ">>spf mx of b.example\n"
        ">>>dns MX b.example: 10 m.b.example\n"
        ">>>dns A m.b.example: 192.0.2.9\n"
        ">>spf ?all matches: neutral\n"
        ">spf -all matches: fail\n"
        "spf fail by -all of a.example\n");
}

TEST_CASE("§9.1: Received-SPF") {
  spf::verdict found;
  found.result = outcome::pass;
  found.sender = "myname@example.com";
  found.domain = "example.com";
  found.mechanism = "a:x.example";
  CHECK(spf::received_spf(found, about("192.0.2.1", "myname@example.com", "foo.example.com")) ==
        "Received-SPF: pass (mx.example.org: domain of myname@example.com designates\r\n"
        " 192.0.2.1 as permitted sender) receiver=mx.example.org; client-ip=192.0.2.1;\r\n"
        " envelope-from=\"myname@example.com\"; helo=foo.example.com; identity=mailfrom;\r\n"
        " mechanism=\"a:x.example\"\r\n");
  found.result = outcome::permerror;
  found.mechanism.clear();
  found.problem = "a ) and \" here";
  const std::string field = spf::received_spf(found, about("2001:db8::1", "a\r\nb: c\"@x.example", "(h)\n"));
  CHECK(field.find("helo=\"(h)?\"") != field.npos);
  CHECK(field.find("client-ip=\"2001:db8::1\"") != field.npos);
  CHECK(field.find("problem=\"a ) and \\\" here\"") != field.npos);
  CHECK(field.find("\r\nb") == field.npos);
  CHECK(field.find("a \\) and") != field.npos);
}

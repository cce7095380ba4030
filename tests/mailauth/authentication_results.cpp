#include "briefwerk/mailauth/authentication_results.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mail/header.hpp"

using namespace briefwerk::mailauth;
namespace base = briefwerk::base;

namespace {

// "method/version=result (comment) reason type.name=value|…", one line a result.
std::string flat(const authentication_results& from) {
  std::string out;
  if (from.instance) out += "i=" + std::to_string(*from.instance) + " ";
  out += from.authserv_id + "/" + std::to_string(from.version);
  for (const auto& one : from.results) {
    out += "\n" + one.method + "/" + std::to_string(one.version) + "=" + one.result;
    if (!one.comment.empty()) out += " (" + one.comment + ")";
    if (!one.reason.empty()) out += " [" + one.reason + "]";
    for (const auto& each : one.properties) out += " " + each.type + "." + each.name + "=" + each.value;
  }
  return out;
}

std::string read(std::string_view value) {
  const auto parsed = parse_authentication_results(value);
  return parsed ? flat(*parsed) : "at " + std::to_string(parsed.error().position) + ": " + parsed.error().problem;
}

bool is_well_folded(std::string_view field) {
  std::size_t line = 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const char c = field[i];
    if (c == '\r' || c == '\n') {
      if (c != '\r' || i + 1 == field.size() || field[i + 1] != '\n') return false;
      if (++i + 1 < field.size() && field[i + 1] != ' ') return false;
      line = 0;
    } else if (++line > 998 || static_cast<unsigned char>(c) < 0x20) {
      return false;
    }
  }
  return field.ends_with("\r\n");
}

}  // namespace

TEST_CASE("RFC 8601: fields are read") {
  struct row {
    const char* why;
    std::string_view in;
    std::string_view out;
  };
  const row rows[] = {
      {"appendix B.2: nothing done", " example.org 1; none", "example.org/1"},
      {"B.3: one method", "example.com;\r\n spf=pass smtp.mailfrom=example.net",
       "example.com/1\nspf/1=pass smtp.mailfrom=example.net"},
      {"B.4: several in one field",
       "example.com;\r\n\tauth=pass (cram-md5) smtp.auth=sender@example.net;\r\n\tspf=pass smtp.mailfrom=example.net",
       "example.com/1\nauth/1=pass (cram-md5) smtp.auth=sender@example.net\nspf/1=pass smtp.mailfrom=example.net"},
      {"B.6: reason, and an address without local part",
       "example.com; dkim=pass reason=\"good signature\"\r\n header.i=@mail-router.example.net; dkim=fail "
       "reason=\"bad signature\" header.i=@newyork.example.com",
       "example.com/1\ndkim/1=pass [good signature] header.i=@mail-router.example.net\n"
       "dkim/1=fail [bad signature] header.i=@newyork.example.com"},
      {"B.7: comments everywhere",
       "foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n"
       " policy (A dot can go here) . (like that) expired\r\n (this surprised me) = (as I wasn't expecting it) "
       "1362471462",
       "foo.example.net/1\ndkim/1=fail policy.expired=1362471462"},
      {"a comment with parentheses and pairs", R"(x.example; a=b (c (d) \) e) p.q=r)",
       "x.example/1\na/1=b (c (d) ) e) p.q=r"},
      {"quoted authserv-id and value", R"("a b"; a=b p.q="c; \"d\"")", "a b/1\na/1=b p.q=c; \"d\""},
      {"a quoted-string over two lines", "x.example; a=b p.q=\"c\r\n d\"", "x.example/1\na/1=b p.q=c d"},
      {"a quoted local part keeps its quotes", R"(x.example; a=b p.q="c d"@e.example)",
       "x.example/1\na/1=b p.q=\"c d\"@e.example"},
      {"keywords have no case", "X.example; SPF=Pass SMTP.MailFrom=A@B.example",
       "X.example/1\nspf/1=pass smtp.mailfrom=A@B.example"},
      {"RFC 8616 §5: U-labels", "bücher.example; spf=pass smtp.mailfrom=jürgen@bücher.example",
       "bücher.example/1\nspf/1=pass smtp.mailfrom=jürgen@bücher.example"},
      {"kind: Base64 without quotes",
       "x.example; dkim=pass header.b=Ab/+c=", "x.example/1\ndkim/1=pass header.b=Ab/+c="},
      {"kind: no ptype", "x.example; dmarc=pass action=none header.from=y.example",
       "x.example/1\ndmarc/1=pass .action=none header.from=y.example"},
      {"kind: a semicolon at the end", "x.example; spf=none;", "x.example/1\nspf/1=none"},
      {"version of the method", "x.example; spf/2=none", "x.example/1\nspf/2=none"},
      {"a method may be called none", "x.example; none=pass", "x.example/1\nnone/1=pass"},
      {"no results", "x.example", "at 9: \";\" and results, or \"none\", expected"},
      {"nothing", "", "at 0: authserv-id expected"},
      {"only a comment", "(x.example)", "at 11: authserv-id expected"},
      {"a comment that does not end", "x.example (; none", "at 17: a comment that does not end, or is nested too deep"},
      {"version 0", "x.example 0; none", "at 11: no version of the field"},
      {"result missing", "x.example; spf", "at 14: \"=\" and a result expected"},
      {"result missing behind the sign", "x.example; spf=; a=b", "at 15: result expected"},
      {"value missing", "x.example; spf=pass smtp.mailfrom=", "at 34: value expected"},
      {"property missing", "x.example; spf=pass =x", "at 20: property expected"},
      {"two semicolons", "x.example; ; spf=pass", "at 11: name of a method expected"},
  };
  for (const row& each : rows) {
    CAPTURE(each.why);
    CHECK(read(each.in) == each.out);
    for (std::size_t size = 0; size <= each.in.size(); ++size) {
      auto block = std::make_unique<char[]>(size);
      std::copy_n(each.in.data(), size, block.get());
      const auto cut = parse_authentication_results({block.get(), size});
      CHECK((cut || cut.error().position <= size));
      claims_authserv_id({block.get(), size}, "x.example");
    }
  }
}

TEST_CASE("RFC 8617 §4.1.1: the instance in front") {
  const auto parsed = parse_arc_authentication_results(" i=2; x.example; spf=pass smtp.helo=y.example");
  REQUIRE(parsed);
  CHECK(flat(*parsed) == "i=2 x.example/1\nspf/1=pass smtp.helo=y.example");
  CHECK(to_field(*parsed) == "ARC-Authentication-Results: i=2; x.example;\r\n spf=pass smtp.helo=y.example\r\n");
  for (const char* bad : {"x.example; none", "i=0; x.example; none", "i=51; x.example; none", "i=1 x.example; none"})
    CHECK(!parse_arc_authentication_results(bad));
}

TEST_CASE("limits") {
  std::string many = "x.example";
  for (std::size_t i = 0; i <= base::limits::authentication_methods; ++i) many += "; a=b";
  CHECK(!parse_authentication_results(many));
  std::string properties = "x.example; a=b";
  for (std::size_t i = 0; i <= base::limits::authentication_properties; ++i) properties += " c.d=e";
  CHECK(!parse_authentication_results(properties));
  CHECK(!parse_authentication_results("x.example; a=b " + std::string(100, '(') + std::string(100, ')')));
  CHECK(
      !parse_authentication_results("x.example; a=b (" + std::string(base::limits::authentication_results, 'c') + ")"));
}

TEST_CASE("what is written can be read, and is one field whatever the values are") {
  authentication_results all;
  all.authserv_id = "mx.example.org";
  CHECK(to_field(all) == "Authentication-Results: mx.example.org; none\r\n");
  const std::string_view hostile[] = {"a\r\nBcc: x@y.example",
                                      "\"; dkim=pass header.d=bank.example",
                                      "a) ; dkim=pass (",
                                      "\\",
                                      "\xff\xfe",
                                      "a@b.example; spf=pass",
                                      "two  spaces",
                                      "",
                                      "jürgen@bücher.example",
                                      "\"a b\"@c.example",
                                      "@c.example",
                                      "2001:db8::1"};
  for (const std::string_view value : hostile) {
    method_result one;
    one.method = "dkim";
    one.result = "fail";
    one.comment = value;
    one.reason = value;
    one.add("header", "i", value);
    all.results.push_back(one);
  }
  all.results.push_back({"b d", 1, "pass", "", "", {}});
  all.results.push_back({"good", 1, "pa;ss", "", "", {}});
  all.results.push_back(
      {"good", 3, "pass", "", "", {{"no type", "x", "y"}, {"policy", "x=y", "z"}, {"policy", "x", "y"}}});
  method_result longest{"good", 1, "pass", std::string(5000, '('), std::string(5000, '"'), {}};
  longest.add("header", "from", std::string(5000, 'a')).add("header", "d", "kept.example");
  all.results.push_back(longest);
  const std::string field = to_field(all);
  CAPTURE(field);
  CHECK(is_well_folded(field));
  const briefwerk::mail::header_block block(field);
  REQUIRE(block.fields().size() == 1);
  const auto again = parse_authentication_results(block.fields()[0].value);
  REQUIRE(again);
  CHECK(again->results.size() == std::size(hostile) + 2);
  for (std::size_t i = 0; i < std::size(hostile); ++i) {
    CHECK(again->results[i].result == "fail");
    CHECK(again->results[i].properties.size() == (hostile[i].empty() ? 0 : 1));
  }
  CHECK(again->results[1].properties[0].value == hostile[1]);
  CHECK(again->results[1].reason == hostile[1]);
  CHECK(again->results[2].comment == hostile[2]);
  CHECK(again->results[4].properties[0].value == "??");
  CHECK(again->results[6].reason == "two  spaces");
  for (const std::size_t i : {8u, 9u, 10u, 11u}) CHECK(again->results[i].properties[0].value == hostile[i]);
  CHECK(again->results[12].properties == std::vector<result_property>{{"policy", "x", "y"}});
  CHECK(again->results[12].version == 3);
  CHECK(again->results[13].properties == std::vector<result_property>{{"header", "d", "kept.example"}});
  CHECK(to_value(*again) == to_value(*parse_authentication_results(to_value(*again))));
}

TEST_CASE("what was read is written alike, octets that could not be said included") {
  const auto first = parse_authentication_results("x.example; a=b header.from=y\xff@z.example");
  REQUIRE(first);
  CHECK(to_value(*first) == "x.example;\r\n a=b header.from=y?@z.example");
  CHECK(to_value(*parse_authentication_results(to_value(*first))) == to_value(*first));
}

TEST_CASE("lines are folded at 78 octets") {
  authentication_results one;
  one.authserv_id = "mx.example.org";
  dkim_facts facts{outcome::pass,
                   "a-long-name.example.org",
                   "@mail.a-long-name.example.org",
                   "selector2026",
                   "rsa-sha256",
                   "AbCdEfGhIjKl",
                   8,
                   "2048-bit key",
                   ""};
  one.results.push_back(result_of(facts));
  CHECK(to_field(one) ==
        "Authentication-Results: mx.example.org;\r\n"
        " dkim=pass (2048-bit key) header.d=a-long-name.example.org\r\n"
        " header.i=@mail.a-long-name.example.org header.s=selector2026\r\n"
        " header.a=rsa-sha256 header.b=AbCdEfGh\r\n");

  // A word alone that is too long for a line is not folded twice: an empty line would end the header.
  one.results = {{.method = std::string(60, 'm'), .result = std::string(30, 'r')}};
  CHECK(to_field(one) == "Authentication-Results: mx.example.org;\r\n " + std::string(60, 'm') + '=' +
                             std::string(30, 'r') + "\r\n");
}

TEST_CASE("RFC 8601 §5: who is said to have written it") {
  struct row {
    const char* why;
    std::string_view value;
    bool ours;
  };
  const row rows[] = {
      {"ours", "mx.example.org; spf=pass smtp.mailfrom=a.example", true},
      {"another's", "mx.example.com; spf=pass", false},
      {"no case", " MX.Example.ORG; none", true},
      {"a final dot", "mx.example.org.; none", true},
      {"quoted", "\"mx.example.org\"; none", true},
      {"quoted with a pair", "\"mx\\.example.org\"; none", true},
      {"behind a comment, folded", "(evil.example)\r\n mx.example.org 1; none", true},
      {"ours is only the comment", "(mx.example.org) evil.example; none", false},
      {"broken behind the name", "mx.example.org spf=pass", true},
      {"broken right behind the name", "mx.example.org/1; spf=pass", true},
      {"longer at the end", "mx.example.org.evil.example; spf=pass", false},
      {"longer at the front", "evil-mx.example.org; spf=pass", false},
      {"no name that can be read: the text counts", "; mx.example.org; spf=pass", true},
      {"the same, ours does not occur", "; mx.example.com; spf=pass", false},
      {"a comment without end", "(( mx.example.org; spf=pass", true},
      {"a quoted-string without end", "\"MX.example.org; spf=pass", true},
      {"with an instance", "i=1; mx.example.org; spf=pass", true},
      {"with an instance and space", " i = 1 (x) ; mx.example.org; spf=pass", true},
      {"an instance and another", "i=1; mx.example.com; spf=pass", false},
      {"empty", "", false},
  };
  for (const row& each : rows) {
    CAPTURE(each.why);
    CHECK(claims_authserv_id(each.value, "mx.example.org") == each.ours);
  }
  CHECK(claims_authserv_id("xn--bcher-kva.example; none", "bücher.example"));
  CHECK(claims_authserv_id("BÜCHER.example; none", "xn--bcher-kva.example"));
  CHECK(!claims_authserv_id("bucher.example; none", "bücher.example"));
}

TEST_CASE("what each method says") {
  authentication_results all;
  all.authserv_id = "x";
  spf::verdict spf_found;
  spf_found.result = outcome::pass;
  spf_found.sender = "a@b.example";
  spf_found.domain = "b.example";
  all.results.push_back(result_of(spf_found));
  spf_found.checked = spf::identity::helo;
  spf_found.result = outcome::temperror;
  spf_found.problem = "no answer";
  all.results.push_back(result_of(spf_found));
  const auto ip = base::ip_address::parse("2001:db8::1").value();
  all.results.push_back(result_of(iprev_verdict{outcome::pass, "h.example", ""}, ip));
  all.results.push_back(result_of(auth_facts{outcome::pass, "a@b.example", "PLAIN", ""}));
  all.results.push_back(
      result_of(dkim_facts{outcome::pass, "b.example", "", "s", "ed25519-sha256", "AbCdEfGhIjKl", 10, "", ""}));
  all.results.push_back(result_of(dmarc_facts{outcome::fail, "b.example", "reject", "p=reject dis=none", ""}));
  all.results.push_back(result_of(arc_facts{outcome::pass, 0, ip, "b.example:c.example", "", ""}));
  CHECK(flat(all) ==
        "x/1\n"
        "spf/1=pass smtp.mailfrom=a@b.example\n"
        "spf/1=temperror [no answer] smtp.helo=b.example\n"
        "iprev/1=pass (h.example) policy.iprev=2001:db8::1\n"
        "auth/1=pass (PLAIN) smtp.auth=a@b.example\n"
        "dkim/1=pass header.d=b.example header.s=s header.a=ed25519-sha256 header.b=AbCdEfGhIj\n"
        "dmarc/1=fail (p=reject dis=none) header.from=b.example policy.dmarc=reject\n"
        "arc/1=pass header.oldest-pass=0 smtp.remote-ip=2001:db8::1 arc.chain=b.example:c.example");
  CHECK(*parse_authentication_results(to_value(all)) == all);
  CHECK(all.find("DKIM")->find("header", "S") != nullptr);
  CHECK(all.find("dkim")->find("header", "i") == nullptr);
  CHECK(all.find("x") == nullptr);
}

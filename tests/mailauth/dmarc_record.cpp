#include "briefwerk/mailauth/dmarc_record.hpp"

#include <doctest/doctest.h>

#include "briefwerk/base/limits/mailauth.hpp"
#include "mail/suites.hpp"

using namespace briefwerk::mailauth::dmarc;
namespace limits = briefwerk::base::limits;
using kind = record_error::kind_type;

namespace {

record parsed(std::string_view text, edition rules = edition::rfc9989) {
  auto found = parse_record(text, rules);
  REQUIRE_MESSAGE(found.has_value(), std::string(text));
  return *found;
}

}  // namespace

TEST_CASE("which TXT records are DMARC records") {
  struct row {
    std::string why;
    std::string_view text;
    bool yes;
  };
  const row rows[] = {
      {"the version alone", "v=DMARC1", true},
      {"with a final semicolon", "v=DMARC1;", true},
      {"white space is allowed", "v = DMARC1 ; p=none", true},
      {"the name of the tag in any case", "V=DMARC1; p=none", true},
      {"RFC 9989 §4.8 the value in its own case", "v=dmarc1; p=none", false},
      {"another version", "v=DMARC2; p=none", false},
      {"not merely a prefix", "v=DMARC10; p=none", false},
      {"RFC 9989 §4.7 first in the list", "p=none; v=DMARC1", false},
      {"SPF", "v=spf1 -all", false},
      {"nothing", "", false},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    CHECK(is_record(r.text) == r.yes);
    const auto found = parse_record(r.text);
    CHECK((!found && found.error().kind == kind::not_dmarc) == !r.yes);
  }
}

TEST_CASE("all tags") {
  const auto found = parsed(
      "v=DMARC1; p=Reject; sp=quarantine; np=none; adkim=s; aspf=S; pct=42; t=y; psd=n; fo=1:d:s; rf=AFRF; ri=3600; "
      "rua=mailto:a@example.org!10m , https://example.org/r; ruf=mailto:f@example.org; x=1; y = a b");
  CHECK(found.p == policy::reject);
  CHECK(found.sp == policy::quarantine);
  CHECK(found.np == policy::none);
  CHECK(found.adkim == alignment::strict);
  CHECK(found.aspf == alignment::strict);
  CHECK(found.pct == 42);
  CHECK(found.testing);
  CHECK(found.psd == suffix_flag::no);
  CHECK(found.fo == failure_options{false, true, true, true});
  CHECK(to_string(found.fo) == "1:d:s");
  CHECK(found.rf == std::vector<std::string>{"afrf"});
  CHECK(found.ri == 3600);
  CHECK(found.rua == std::vector<report_uri>{{"mailto:a@example.org", 10u << 20}, {"https://example.org/r", {}}});
  CHECK(found.ruf == std::vector<report_uri>{{"mailto:f@example.org", {}}});
  CHECK(found.unknown == std::vector<record::unknown_tag>{{"x", "1"}, {"y", "a b"}});
  CHECK(found.issues.empty());
}

TEST_CASE("defaults, and who a policy speaks of") {
  const auto bare = parsed("v=DMARC1");
  CHECK(bare.policy_for(subject::own) == policy::none);
  CHECK_FALSE(bare.policy_unusable);
  CHECK(bare.adkim == alignment::relaxed);
  CHECK(bare.pct == 100);
  CHECK(bare.ri == 86400);
  CHECK(to_string(bare.fo) == "0");

  const auto only_p = parsed("v=DMARC1;p=reject");
  CHECK(only_p.policy_for(subject::subdomain) == policy::reject);
  CHECK(only_p.policy_for(subject::missing_subdomain) == policy::reject);
  const auto with_sp = parsed("v=DMARC1;p=reject;sp=none");
  CHECK(with_sp.policy_for(subject::own) == policy::reject);
  CHECK(with_sp.policy_for(subject::missing_subdomain) == policy::none);
  const auto with_np = parsed("v=DMARC1;p=none;sp=quarantine;np=reject");
  CHECK(with_np.policy_for(subject::own) == policy::none);
  CHECK(with_np.policy_for(subject::subdomain) == policy::quarantine);
  CHECK(with_np.policy_for(subject::missing_subdomain) == policy::reject);
}

TEST_CASE("policies that cannot be used") {
  struct row {
    std::string why;
    std::string_view text;
    edition rules;
    enum { usable, as_none, refused } expected;
  };
  using enum edition;
  const row rows[] = {
      {"RFC 9989 §4.7 no p is none", "v=DMARC1; sp=reject", rfc9989, row::usable},
      {"RFC 7489 §6.3 p is required", "v=DMARC1; sp=reject", rfc7489, row::refused},
      {"RFC 7489 §6.6.3 (6) with rua: none", "v=DMARC1; rua=mailto:a@b.example", rfc7489, row::as_none},
      {"RFC 9989 §4.10.1 broken p", "v=DMARC1; p=discard", rfc9989, row::refused},
      {"broken p, rua", "v=DMARC1; p=discard; sp=reject; rua=mailto:a@b.example", rfc9989, row::as_none},
      {"broken sp spoils p", "v=DMARC1; p=reject; sp=discard", rfc9989, row::refused},
      {"broken np spoils p", "v=DMARC1; p=reject; np=; rua=mailto:a@b.example", rfc9989, row::as_none},
      {"rua without a valid address does not save it", "v=DMARC1; p=x; rua=nobody", rfc9989, row::refused},
      {"an empty p", "v=DMARC1; p=", rfc9989, row::refused},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    const auto found = parse_record(r.text, r.rules);
    if (r.expected == row::refused) {
      REQUIRE_FALSE(found);
      CHECK(found.error().kind == kind::unusable);
      continue;
    }
    REQUIRE(found);
    CHECK(found->policy_unusable == (r.expected == row::as_none));
    if (r.expected == row::as_none) CHECK(found->policy_for(subject::missing_subdomain) == policy::none);
  }
}

TEST_CASE("what is broken is noted with its place, and has its default") {
  struct row {
    std::string why;
    std::string_view text;
    std::size_t position;
  };
  const row rows[] = {
      {"pct past 100", "v=DMARC1; p=none; pct=101", 22},
      {"pct negative", "v=DMARC1; p=none; pct=-1", 22},
      {"pct with a word behind it", "v=DMARC1; p=none; pct=50%", 22},
      {"adkim", "v=DMARC1; p=none; adkim=x", 24},
      {"aspf", "v=DMARC1; p=none; aspf=", 23},
      {"t", "v=DMARC1; p=none; t=yes", 20},
      {"psd", "v=DMARC1; p=none; psd=yes", 22},
      {"fo", "v=DMARC1; p=none; fo=x", 21},
      {"ri past 32 bits", "v=DMARC1; p=none; ri=4294967296", 21},
      {"a piece without =", "v=DMARC1; p=none; nonsense", 18},
      {"a name that is none", "v=DMARC1; p=none; a-b=c", 18},
      {"the version again", "v=DMARC1; p=none; v=DMARC1", 20},
      {"RFC 6376 §3.2 a tag again: the first counts", "v=DMARC1; p=none; p=reject", 20},
      {"an address that is none", "v=DMARC1; p=none; rua=postmaster", 22},
      {"a scheme without more", "v=DMARC1; p=none; rua=mailto:", 22},
      {"an octet that no URI has", "v=DMARC1; p=none; rua=mailto:a@b c", 22},
      {"a size that is none", "v=DMARC1; p=none; rua=mailto:a@b.example!10x", 22},
      {"a size past 64 bits", "v=DMARC1; p=none; rua=mailto:a@b.example!99999999999t", 22},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    auto found = parsed(r.text);
    REQUIRE(found.issues.size() == 1);
    CHECK(found.issues[0].position == r.position);
    CHECK_FALSE(found.issues[0].problem.empty());
    found.issues.clear();
    for (auto& uri : found.rua) CHECK_FALSE(uri.max_size);
    found.rua.clear();
    CHECK(found == parsed("v=DMARC1;p=none"));
  }
}

TEST_CASE("sizes of reports, RFC 7489 §6.2") {
  struct row {
    std::string_view text;
    std::uint64_t octets;
  };
  const row rows[] = {{"!1", 1}, {"!2k", 2048}, {"!3M", 3u << 20}, {"!1g", 1u << 30}, {"!1t", 1ull << 40}, {" !5", 5}};
  for (const auto& r : rows) {
    CAPTURE(r.text);
    const auto found = parsed("v=DMARC1;p=none;rua=mailto:a@b.example" + std::string(r.text));
    REQUIRE(found.rua.size() == 1);
    CHECK(found.rua[0] == report_uri{"mailto:a@b.example", r.octets});
  }
}

TEST_CASE("bounds of a record") {
  std::string many = "v=DMARC1;p=none";
  for (std::size_t i = 2; i < limits::dmarc_tags; ++i) many += ";x=1";
  CHECK(parsed(many).unknown.size() == limits::dmarc_tags - 2);
  CHECK(parse_record(many + ";y=1").error().kind == kind::too_long);
  const std::string longest = "v=DMARC1;p=none;x=" + std::string(limits::dmarc_record - 18, 'x');
  CHECK(parse_record(longest));
  CHECK(parse_record(longest + "x").error().kind == kind::too_long);

  std::string uris = "v=DMARC1;p=none;rua=mailto:a@b.example";
  for (std::size_t i = 0; i < limits::dmarc_uris; ++i) uris += ",mailto:a@b.example";
  const auto found = parsed(uris);
  CHECK(found.rua.size() == limits::dmarc_uris);
  CHECK(found.issues.size() == 1);
}

TEST_CASE("mailto, RFC 6068") {
  struct row {
    std::string why;
    std::string_view uri;
    std::optional<std::string> address;
  };
  const row rows[] = {
      {"plain", "mailto:dmarc@example.org", "dmarc@example.org"},
      {"the scheme in any case", "MAILTO:dmarc@example.org", "dmarc@example.org"},
      {"header fields are dropped", "mailto:dmarc@example.org?subject=x&bcc=evil@example.net", "dmarc@example.org"},
      {"percent-encoding", "mailto:a%21b%40example.org", "a!b@example.org"},
      {"a percent sign that encodes nothing", "mailto:a%2@example.org", std::nullopt},
      {"cut percent-encoding", "mailto:a@example.org%4", std::nullopt},
      {"two addresses", "mailto:a@example.org%2Cb@example.net", std::nullopt},
      {"a line end does not slip through", "mailto:a%0D%0ARCPT@example.org", std::nullopt},
      {"NUL neither", "mailto:a%00@example.org", std::nullopt},
      {"no domain", "mailto:a", std::nullopt},
      {"nothing", "mailto:", std::nullopt},
      {"another scheme", "https://example.org/", std::nullopt},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    CHECK(mailto_address(r.uri) == r.address);
  }
}

TEST_CASE("a record cut at every octet") {
  const std::string text =
      "v=DMARC1; p=reject; sp=none; pct=50; fo=1:d; rua=mailto:a@b.example!10m,x:y; ruf=z:z; k = v";
  for (std::size_t length = 0; length <= text.size(); ++length) {
    CAPTURE(length);
    briefwerk::test::with_exact_block(std::string_view(text).substr(0, length), [&](std::string_view cut) {
      const auto found = parse_record(cut);
      // Without the whole version it is no record; "p=" to "p=rejec" and "sp=" to "sp=non" are policies that are none.
      const bool usable = length >= 8 && (length < 12 || length > 17) && (length < 23 || length > 26);
      CHECK(found.has_value() == usable);
      if (usable) CHECK(found->p == (length < 12 ? std::nullopt : std::optional(policy::reject)));
    });
  }
}

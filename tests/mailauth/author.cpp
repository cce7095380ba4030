#include "briefwerk/mailauth/author.hpp"

#include <doctest/doctest.h>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/limits/mailauth.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;
using mailauth::author_fault;
using mailauth::read_author;
namespace limits = base::limits;
using namespace std::string_literals;

using domains = std::vector<std::string>;

namespace {

std::string joined(const domains& all) {
  std::string out;
  for (const auto& one : all) out += one + " ";
  return out;
}

}  // namespace

TEST_CASE("what a From field may look like, and the domains that it could show") {
  struct row {
    std::string why;
    std::string from;  // the value
    author_fault fault;
    domains expected;
  };
  using enum author_fault;
  const row rows[] = {
      {"an address", "jane@example.org", none, {"example.org"}},
      {"with a display name", "Jane <jane@Example.ORG>", none, {"example.org"}},
      {"folded", "Jane\r\n <jane@example.org>", none, {"example.org"}},
      {"a final dot", "jane@example.org.", none, {"example.org"}},
      {"no local part", "<@example.org>", none, {"example.org"}},
      {"RFC 9989 §5.3.1 U-labels become A-labels", "j@bücher.example", none, {"xn--bcher-kva.example"}},
      {"an ideographic full stop is a dot (UTS 46)", "j@example。org", none, {"example.org"}},
      {"two addresses of one domain", "a@example.org, b@EXAMPLE.org", none, {"example.org"}},
      {"an unquoted comma in a name, as many write it", "Doe, Jane <jane@example.org>", none, {"example.org"}},
      {"an address in a quoted name is a name", "\"ceo@bank.example\" <x@evil.example>", none, {"evil.example"}},
      {"an address in a comment is a comment", "x@evil.example (ceo@bank.example)", none, {"evil.example"}},
      {"a comment before the domain", "x@(bank.example)evil.example", none, {"evil.example"}},
      {"an address in an encoded-word is a name",
       "=?utf-8?q?ceo=40bank.example?= <x@evil.example>",
       none,
       {"evil.example"}},
      {"RFC 6854 a group", "Team: jane@example.org;", none, {"example.org"}},

      {"two domains", "a@bank.example, b@evil.example", several_domains, {"bank.example", "evil.example"}},
      {"in the other order", "b@evil.example, a@bank.example", several_domains, {"evil.example", "bank.example"}},
      {"a group of two", "g: a@bank.example, b@evil.example;", several_domains, {"bank.example", "evil.example"}},
      {"a group beside an address",
       "g: a@bank.example;, b@evil.example",
       several_domains,
       {"bank.example", "evil.example"}},
      {"RFC 5322 §4.4 a route", "<@bank.example:x@evil.example>", several_domains, {"bank.example", "evil.example"}},
      {"a domain and a literal", "a@bank.example, b@[192.0.2.1]", several_domains, {"bank.example"}},
      {"a subdomain is another domain",
       "a@example.org, a@mail.example.org",
       several_domains,
       {"example.org", "mail.example.org"}},

      {"nothing", "", no_domain, {}},
      {"a name alone", "Jane", no_domain, {}},
      {"an empty group", "undisclosed-recipients:;", no_domain, {}},
      {"the null address", "<>", no_domain, {}},
      {"an address in an encoded-word alone", "=?utf-8?q?ceo=40bank.example?=", no_domain, {}},
      {"no domain behind the @", "jane@", no_domain, {}},
      {"RFC 5321 §4.1.3 a literal", "jane@[192.0.2.1]", address_literal, {}},
      {"an IPv6 literal", "jane@[IPv6:2001:db8::1]", address_literal, {}},

      {"an address as an unquoted name",
       "ceo@bank.example <x@evil.example>",
       malformed,
       {"evil.example", "bank.example"}},
      {"the same domain in both hides nothing", "x@evil.example <x@evil.example>", none, {"evil.example"}},
      {"two @", "ceo@bank.example@evil.example", malformed, {"evil.example", "bank.example"}},
      {"a quote that never ends", "\"ceo@bank.example <x@evil.example>", malformed, {"evil.example", "bank.example"}},
      {"a comment that never ends", "(ceo@bank.example <x@evil.example>", malformed, {"evil.example", "bank.example"}},
      {"NUL", "ceo@bank.example\0 <x@evil.example>"s, malformed, {"evil.example", "bank.example"}},
      {"NUL in a local part", "<x\0y@evil.example>"s, malformed, {"evil.example"}},
      {"a bare CR", "a@bank.example,\r b@bank.example", malformed, {"bank.example"}},
      {"DEL", "Jane\x7f <x@evil.example>", malformed, {"evil.example"}},
      {"a domain with a space", "jane@exam_ple!.org", malformed, {}},
      {"a label too long", "jane@" + std::string(64, 'a') + ".example", malformed, {}},
      {"a domain too long", "jane@" + std::string(300, 'a'), malformed, {}},
      {"an empty label", "jane@bank..example", malformed, {}},
      {"not UTF-8", "jane@b\xff\xfe.example", malformed, {}},
      {"RFC 2047 §5 (3) an encoded-word in a local part",
       "<=?utf-8?q?ceo=40bank.example?=@evil.example>",
       malformed,
       {"evil.example", "bank.example"}},
      {"an encoded-word as a domain", "x@=?utf-8?q?bank.example?=", malformed, {}},
      {"an encoded-word with NUL, where readers cut",
       "=?utf-8?q?ceo=40bank.example=00?= <x@evil.example>",
       malformed,
       {"evil.example", "bank.example"}},
      {"the same in base64",
       "=?utf-8?b?Y2VvQGJhbmsuZXhhbXBsZQA=?= <x@evil.example>",
       malformed,
       {"evil.example", "bank.example"}},
      {"ISO-2022-JP holds ESC and means no harm",
       "=?iso-2022-jp?b?GyRCRnxLXBsoQg==?= <x@evil.example>",
       none,
       {"evil.example"}},
      {"an encoded-word with a line end",
       "=?utf-8?q?ceo=40bank.example=0A?= <x@evil.example>",
       malformed,
       {"evil.example", "bank.example"}},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    const auto header = "Subject: x\r\nFrom: " + r.from + "\r\nTo: y@example.net\r\n\r\nFrom: body@example.com\r\n";
    const auto found = read_author(header);
    CHECK(to_string(found.fault) == to_string(r.fault));
    CHECK(joined(found.domains) == joined(r.expected));
    CHECK_FALSE(found.incomplete);
  }
}

TEST_CASE("which fields count") {
  struct row {
    std::string why;
    std::string header;
    author_fault fault;
    domains expected;
  };
  using enum author_fault;
  const row rows[] = {
      {"no header", "", no_field, {}},
      {"no From", "Subject: x\r\n\r\n", no_field, {}},
      {"From in the body", "Subject: x\r\n\r\nFrom: a@bank.example\r\n", no_field, {}},
      {"RFC 5322 §3.6 once only",
       "From: a@bank.example\r\nFrom: x@evil.example\r\n\r\n",
       several_fields,
       {"bank.example", "evil.example"}},
      {"twice the same", "From: a@bank.example\r\nfrom: a@bank.example\r\n\r\n", several_fields, {"bank.example"}},
      {"the second is empty", "From: a@bank.example\r\nFrom:\r\n\r\n", several_fields, {"bank.example"}},
      {"white space before the colon",
       "From: a@bank.example\r\nFROM \t: x@evil.example\r\n\r\n",
       several_fields,
       {"bank.example", "evil.example"}},
      {"behind a bare CR",
       "Subject: x\rFrom: a@bank.example\r\nFrom: x@evil.example\r\n\r\n",
       several_fields,
       {"evil.example"}},
      {"with lines that end in LF", "Subject: x\nFrom: a@bank.example\n\nbody", none, {"bank.example"}},
      {"no empty line at the end", "From: a@bank.example\r\n", none, {"bank.example"}},
      {"an mbox line is no field", "From someone\r\nFrom: a@bank.example\r\n\r\n", none, {"bank.example"}},
      {"other fields begin alike",
       "From-Line: x@y\r\nX-From: x@y\r\nResent-From: x@y.example\r\nFrom: a@bank.example\r\n\r\n",
       none,
       {"bank.example"}},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    const auto found = read_author(r.header);
    CHECK(to_string(found.fault) == to_string(r.fault));
    CHECK(joined(found.domains) == joined(r.expected));
  }
}

TEST_CASE("what is too much says so") {
  std::string many = "From: ";
  for (std::size_t i = 0; i <= limits::dmarc_author_domains; ++i) many += "a@d" + std::to_string(i) + ".example, ";
  auto found = read_author(many + "\r\n\r\n");
  CHECK(found.fault == author_fault::too_long);
  CHECK(found.incomplete);
  CHECK(found.domains.size() == limits::dmarc_author_domains);

  const std::string filler(limits::dmarc_from_field, 'x');
  found = read_author("From: \"" + filler + "\" <a@bank.example>\r\n\r\n");
  CHECK(found.fault == author_fault::too_long);
  CHECK(found.incomplete);

  std::string fields;
  for (std::size_t i = 0; i < limits::header_fields; ++i) fields += "X: y\r\n";
  found = read_author(fields + "From: a@bank.example\r\n\r\n");
  CHECK(found.fault == author_fault::too_long);
  CHECK(found.incomplete);
}

TEST_CASE("a header cut at every octet never has more domains than the whole") {
  const std::string header =
      "From: \"a@b.example\" (c@d.example) <x@evil.example>,\r\n =?utf-8?q?y?= <y@[192.0.2.1]>\r\nFrom: "
      "z@evil.example\r\n\r\n";
  for (std::size_t length = 0; length <= header.size(); ++length) {
    test::with_exact_block(std::string_view(header).substr(0, length), [&](std::string_view cut) {
      const auto found = read_author(cut);
      CHECK(found.domains.size() <= limits::dmarc_author_domains);
      if (found.fault == author_fault::none) CHECK(found.domains.size() == 1);
    });
  }
}

#include <doctest/doctest.h>

#include "briefwerk/mail/address.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;
using mail::list_address;

TEST_CASE("SMTP mailboxes, whole and cut") {
  struct row { std::string_view why; std::string_view in; bool plain; bool smtputf8; std::string_view local; std::string_view out; };
  const row rows[] = {
      {"RFC 5321 §4.1.2 Dot-string", "a.b@c.example", true, true, "a.b", "a.b@c.example"},
      {"RFC 5321 §4.1.2 Quoted-string, quotes not needed", "\"a.b\"@c.example", true, true, "a.b", "a.b@c.example"},
      {"Quoted-string, quotes needed", "\"a b\\\"\"@c.example", true, true, "a b\"", "\"a b\\\"\"@c.example"},
      {"empty quoted local part", "\"\"@c.example", true, true, "", "\"\"@c.example"},
      {"an @ inside quotes", "\"a@b\"@c.example", true, true, "a@b", "\"a@b\"@c.example"},
      {"RFC 5321 §4.1.3 IPv4 literal", "a@[192.0.2.1]", true, true, "a", "a@[192.0.2.1]"},
      {"RFC 5321 §4.1.3 IPv6 literal", "a@[IPv6:2001:db8::1]", true, true, "a", "a@[IPv6:2001:db8::1]"},
      {"RFC 5321 §4.1.3 IPv6v4-comp", "a@[IPv6:::ffff:192.0.2.1]", true, true, "a", "a@[IPv6:::ffff:192.0.2.1]"},
      {"no other literal is registered", "a@[x400:foo]", false, false, "", ""},
      {"RFC 6531 §3.3: UTF-8 with SMTPUTF8 only", "gr\xc3\xbc\xc3\x9f" "e@b\xc3\xbc" "cher.example", false, true,
       "gr\xc3\xbc\xc3\x9f" "e", "gr\xc3\xbc\xc3\x9f" "e@b\xc3\xbc" "cher.example"},
      {"RFC 6531 §3.3: valid UTF-8", "gr\xff@example", false, false, "", ""},
      {"no white space", "a @b.example", false, false, "", ""},
      {"no comment in a path", "a(c)@b.example", false, false, "", ""},
      {"no obs-local-part", "a.\"b\"@b.example", false, false, "", ""},
      {"dots separate", "a..b@c.example", false, false, "", ""},
      {"no dot first", ".a@c.example", false, false, "", ""},
      {"no trailing dot", "a@c.example.", false, false, "", ""},
      {"no control character in quotes", "\"a\r\"@c.example", false, false, "", ""},
      {"a NUL is no atext", std::string_view("a\0b@c.example", 13), false, false, "", ""},
      {"labels do not begin with a hyphen", "a@-b.example", false, false, "", ""},
      {"no second @", "a@b@c.example", false, false, "", ""},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    test::with_exact_block(r.in, [&](std::string_view text) {
      CHECK(mail::parse_mailbox(text).has_value() == r.plain);
      const auto parsed = mail::parse_mailbox(text, mail::utf8::allow);
      REQUIRE(parsed.has_value() == r.smtputf8);
      if (!parsed) return;
      CHECK(parsed->local == r.local);
      CHECK(mail::format_mailbox(*parsed) == r.out);
      CHECK(mail::parse_mailbox(mail::format_mailbox(*parsed), mail::utf8::allow) == *parsed);
    });
    test::with_every_cut(r.in, [](std::string_view text) {
      const auto cut = mail::parse_mailbox(text, mail::utf8::allow);
      if (cut) CHECK(mail::parse_mailbox(mail::format_mailbox(*cut), mail::utf8::allow) == *cut);
    });
  }
  CHECK(mail::parse_mailbox(std::string(257, 'a') + "@b.example").error() == base::errc::limit_exceeded);
  CHECK(mail::parse_mailbox("a@" + std::string(300, 'b')).error() == base::errc::limit_exceeded);
}

TEST_CASE("one key for one address") {
  const auto key = [](std::string_view text) {
    return mail::normalised_key(*mail::parse_mailbox(text, mail::utf8::allow));
  };
  CHECK(key("Joe@EXAMPLE.org") == "Joe@example.org");
  CHECK(key("\"Joe\"@Example.ORG") == "Joe@example.org");
  CHECK(key("a@B\xc3\x9c" "cher.example") == "a@xn--bcher-kva.example");  // RFC 5891
  CHECK(key("a@xn--BCHER-kva.example") == "a@xn--bcher-kva.example");
  CHECK(key("u\xcc\x88@a.example") == key("\xc3\xbc@a.example"));  // NFC
  CHECK(key("a@[IPV6:2001:DB8::1]") == "a@[ipv6:2001:db8::1]");
  CHECK(mail::domain_to_ascii("stra\xc3\x9f" "e.example").value() == "xn--strae-oqa.example");  // UTS 46 non-transitional
  CHECK(mail::domain_to_ascii("_dmarc.Example").value() == "_dmarc.example");
  CHECK(mail::domain_to_unicode("xn--bcher-kva.example") == "b\xc3\xbc" "cher.example");
}

TEST_CASE("isemail: each vector is taken or refused as RFC 5321 has it") {
  const auto files = test::suite_files("addr-isemail", "tests.xml");
  if (files.empty()) return;
  const auto xml = test::read_file(files.front());
  const auto element = [](std::string_view from, const std::string& name) -> std::string {
    const auto open = from.find("<" + name + ">");
    if (open == from.npos) return {};
    const auto at = open + name.size() + 2;
    return std::string(from.substr(at, from.find("</" + name + ">", at) - at));
  };
  const auto resolve = [](std::string text) {
    for (const auto& [entity, value] : {std::pair{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#xA9;", "\xc2\xa9"}, {"&amp;", "&"}})
      for (auto at = text.find(entity); at != text.npos && text.compare(at, 5, "&amp;#") != 0; at = text.find(entity, at + 1))
        text.replace(at, std::string_view(entity).size(), value);
    // &#x2400;+n stands for the control character n.
    for (auto at = text.find("&#x24"); at != text.npos; at = text.find("&#x24")) {
      const auto end = text.find(';', at);
      text.replace(at, end - at + 1, 1, static_cast<char>(std::stoi(text.substr(at + 5, end - at - 5), nullptr, 16)));
    }
    return text;
  };
  int count = 0;
  for (auto at = xml.find("<test id"); at != xml.npos; at = xml.find("<test id", at + 1)) {
    const std::string_view one = std::string_view(xml).substr(at, xml.find("</test>", at) - at);
    const auto address = resolve(element(one, "address"));
    const auto category = element(one, "category");
    const auto diagnosis = element(one, "diagnosis");
    bool good = category == "ISEMAIL_VALID_CATEGORY" || category == "ISEMAIL_RFC5321" || category == "ISEMAIL_DNSWARN";
    // RFC 5321 §4.5.3.1: longer than the sizes that everyone must take is not forbidden, and senders with variable
    // return paths do so.
    good = good || diagnosis == "ISEMAIL_RFC5322_LOCAL_TOOLONG" || diagnosis == "ISEMAIL_RFC5322_TOOLONG";
    CAPTURE(address);
    CAPTURE(diagnosis);
    CHECK(mail::parse_mailbox(address).has_value() == good);
    ++count;
  }
  CHECK(count == 164);
}

namespace {

// name|route|local|domain for each mailbox, {name ... } for groups.
std::string show(const std::vector<list_address>& list) {
  std::string out;
  for (const auto& a : list) {
    if (!out.empty()) out += ' ';
    if (a.kind == list_address::kind_type::group_begin) out += "{" + a.name;
    else if (a.kind == list_address::kind_type::group_end) out += "}";
    else out += "[" + a.name + "|" + a.route + "|" + a.local + "|" + a.domain + "]";
  }
  return out;
}

}  // namespace

TEST_CASE("address lists of header fields, whole and cut") {
  struct row { std::string_view why; std::string_view in; std::string_view out; };
  const row rows[] = {
      {"RFC 5322 §3.4 addr-spec", "a@b.example", "[||a|b.example]"},
      {"§3.4 name-addr", "Joe Q. Public <joe@b.example>", "[Joe Q. Public||joe|b.example]"},
      {"§3.2.4 quoted phrase", "\"Giant; \\\"Big\\\" Box\" <s@x.example>", "[Giant; \"Big\" Box||s|x.example]"},
      {"quoted local part", "\"a b\"@x.example", "[||a b|x.example]"},
      {"several", "a@b.example, <c@d.example> ,e@f.example", "[||a|b.example] [||c|d.example] [||e|f.example]"},
      {"§3.4 group", "A Group:Ed <c@a.example>,joe@w.example;, x@y.example",
       "{A Group [Ed||c|a.example] [||joe|w.example] } [||x|y.example]"},
      {"§3.4 empty group", "Undisclosed recipients:;", "{Undisclosed recipients }"},
      {"a group without end", "G: a@b.example", "{G [||a|b.example] }"},
      {"§3.4: a comment as name", "joe@b.example (Joe Public)", "[Joe Public||joe|b.example]"},
      {"§3.2.2 comments anywhere", "Pete(A nice \\) chap) <pete(his account)@silly.example(his host)>",
       "[Pete||pete|silly.example]"},
      {"§4.4 obs-route", "<@a.example,@b.example:joe@c.example>", "[|@a.example,@b.example|joe|c.example]"},
      {"§4.4 obs-local-part and obs-domain", "a . b @ c . example", "[||a.b|c.example]"},
      {"§4.4 empty elements", ",, a@b.example,,", "[||a|b.example]"},
      {"§3.4.1 domain-literal", "a@[192.0.2.1]", "[||a|[192.0.2.1]]"},
      {"encoded-word stays", "=?utf-8?Q?J=C3=B6?= <j@b.example>", "[=?utf-8?Q?J=C3=B6?=||j|b.example]"},
      {"a comma in an encoded-word", "=?utf-8?Q?a,b?= <j@b.example>", "[=?utf-8?Q?a,b?=||j|b.example]"},
      {"folding", "Joe\r\n Public\r\n\t<j@b.example>", "[Joe Public||j|b.example]"},
      {"an address as name, without quotes", "j@b.example <j@b.example>", "[j@b.example||j|b.example]"},
      {"an open quote loses nobody", "\"Joe <j@b.example>, c@d.example", "[\"Joe||j|b.example] [||c|d.example]"},
      {"an open comment loses nobody", "(Joe <j@b.example>, c@d.example", "[(Joe||j|b.example] [||c|d.example]"},
      {"a missing > loses nobody", "<j@b.example, c@d.example", "[||j|b.example] [||c|d.example]"},
      {"a missing comma loses nobody", "a@b.example c@d.example", "[||a|b.example] [||c|d.example]"},
      {"words before an address", "Joe Public j@b.example", "[Joe Public||j|b.example]"},
      {"no domain", "root", "[||root|]"},
      {"no domain in brackets", "Root <root>", "[Root||root|]"},
      {"semicolons between", "a@b.example; c@d.example", "[||a|b.example] [||c|d.example]"},
      {"empty brackets with a name", "Nobody <>", "[Nobody|||]"},
      {"nothing", " \r\n ", ""},
      {"two in brackets without comma", "<a@b.example> <c@d.example>", "[||a|b.example] [||c|d.example]"},
      {"8 bit octets pass", "J\xc3\xb6 <j@b.example>", "[J\xc3\xb6||j|b.example]"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    test::with_exact_block(r.in, [&](std::string_view text) { CHECK(show(mail::parse_address_list(text)) == r.out); });
    test::with_every_cut(r.in, [](std::string_view text) { mail::parse_address_list(text); });
  }
}

TEST_CASE("address lists are bounded and linear") {
  std::string many;
  for (int i = 0; i < 6000; ++i) many += "a@b.example,";
  CHECK(mail::parse_address_list(many).size() == 5000);
  std::string colons;
  for (int i = 0; i < 50000; ++i) colons += "a ";
  mail::parse_address_list(colons + "@" + std::string(100000, ':'));
  for (const std::string_view bad : {"(", "\"", "<", "[", "=?", "a@", "(\\", ":", "@:", "<@,"}) {
    std::string text;
    while (text.size() < 200000) text += bad;
    mail::parse_address_list(text);  // must end; quadratic work would be noticed
  }
}

TEST_CASE("addresses are formatted") {
  const mail::mailbox_address joe{"joe", "b.example"};
  CHECK(mail::format_address("", joe) == "joe@b.example");
  CHECK(mail::format_address("Joe Public", joe) == "Joe Public <joe@b.example>");
  CHECK(mail::format_address("Joe Q. Public", joe) == "\"Joe Q. Public\" <joe@b.example>");
  CHECK(mail::format_address("a \"b\"", joe) == "\"a \\\"b\\\"\" <joe@b.example>");
  CHECK(mail::format_address("J\xc3\xb6", joe) == "=?UTF-8?B?SsO2?= <joe@b.example>");
}

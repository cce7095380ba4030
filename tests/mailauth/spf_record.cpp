// The record as a value: RFC 7208 §4.6.1, §7, §12.

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mailauth/spf.hpp"

using namespace briefwerk::mailauth;
namespace base = briefwerk::base;

namespace {

std::string flat(const spf::macro_string& macros) {
  std::string out;
  for (const spf::macro_part& part : macros) {
    if (part.letter == 0) {
      out += part.literal;
      continue;
    }
    out += '<';
    out += part.letter;
    if (part.url_escape) out += '^';
    if (part.keep != 0) out += std::to_string(part.keep);
    if (part.reverse) out += 'r';
    out += part.delimiters + '>';
  }
  return out;
}

constexpr std::string_view kinds[] = {"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"};

std::string flat(const spf::record& from) {
  std::string out;
  for (const spf::mechanism& each : from.mechanisms) {
    out += std::string(to_string(each.result)) + ' ' + std::string(kinds[static_cast<std::size_t>(each.kind)]);
    if (each.domain) out += ':' + flat(*each.domain);
    if (each.kind == spf::mechanism_kind::ip4 || each.kind == spf::mechanism_kind::ip6)
      out += ':' + each.network.to_string();
    if (each.prefix_v4 != 32 || each.prefix_v6 != 128)
      out += '/' + std::to_string(each.prefix_v4) + "//" + std::to_string(each.prefix_v6);
    out += '\n';
  }
  if (from.redirect) out += "redirect=" + flat(*from.redirect) + '\n';
  if (from.explanation) out += "exp=" + flat(*from.explanation) + '\n';
  for (const spf::modifier& each : from.unknown) out += each.name + '=' + flat(each.value) + '\n';
  return out;
}

std::string read(std::string_view text) {
  const auto parsed = spf::parse_record(text);
  return parsed ? flat(*parsed) : std::to_string(parsed.error().position) + ": " + parsed.error().problem;
}

struct row {
  const char* why;
  std::string_view in;
  std::string_view out;
};

// In a block of exactly its size: what reads past the end is seen by a sanitizer.
template <class F>
void every_cut(std::string_view text, F&& f) {
  for (std::size_t size = 0; size <= text.size(); ++size) {
    auto block = std::make_unique<char[]>(size);
    std::copy_n(text.data(), size, block.get());
    f(std::string_view(block.get(), size));
  }
}

}  // namespace

TEST_CASE("RFC 7208 §12: records that are well formed") {
  const row rows[] = {
      {"nothing but the version", "v=spf1", ""},
      {"spaces at the end", "V=SPF1  ", ""},
      {"each qualifier", "v=spf1 +a -mx ~ptr ?all", "pass a\nfail mx\nsoftfail ptr\nneutral all\n"},
      {"names have no case", "v=spf1 A MX:b.example EXISTS:c.example RediRect=d.example",
       "pass a\npass mx:b.example\npass exists:c.example\nredirect=d.example\n"},
      {"§5.3 both prefixes", "v=spf1 a/24//64 a//0 mx:b.example/0 a:b.example//128",
       "pass a/24//64\npass a/32//0\npass mx:b.example/0//128\npass a:b.example\n"},
      {"a domain may hold slashes", "v=spf1 a:c/1.example/24 exists:a/b.example",
       "pass a:c/1.example/24//128\npass exists:a/b.example\n"},
      {"§5.6 networks", "v=spf1 ip4:192.0.2.1 ip4:192.0.2.1/24 ip6:2001:DB8::1/32 ip6:::1",
       "pass ip4:192.0.2.1/32\npass ip4:192.0.2.1/24\npass ip6:2001:db8::1/32\npass ip6:::1/128\n"},
      {"a mapped network, cut in front of the mapped part", "v=spf1 ip6:::ffff:192.0.2.1/88",
       "pass ip6:::ff00:0:0/88\n"},
      {"§7.1 macros", "v=spf1 exists:%{ir}.%{L3r-+}._%%%_%-.%{d2}", "pass exists:<ir>.<l^3r-+>._% %20.<d2>\n"},
      {"an expansion may end a domain", "v=spf1 a:%{h} include:x%{d}", "pass a:<h>\npass include:x<d>\n"},
      {"more parts than any name has", "v=spf1 a:%{d99999999999999999999}", "pass a:<d1000>\n"},
      {"top labels", "v=spf1 a:b.xn--p1ai a:b.1-2 a:b.c1 a:b.example.",
       "pass a:b.xn--p1ai\npass a:b.1-2\npass a:b.c1\npass a:b.example.\n"},
      {"§6 modifiers", "v=spf1 exp=x.example a moo.m-f_1=a:b/c redirect=%{o}",
       "pass a\nredirect=<o>\nexp=x.example\nmoo.m-f_1=a:b/c\n"},
      {"an unknown modifier may be empty, and stand twice", "v=spf1 x= x=", "x=\nx=\n"},
  };
  for (const row& each : rows) {
    CAPTURE(each.why);
    CHECK(read(each.in) == each.out);
    every_cut(each.in, [](std::string_view cut) {
      const auto parsed = spf::parse_record(cut);
      CHECK((parsed || parsed.error().position <= cut.size()));
    });
  }
}

TEST_CASE("errors of records, and where they are") {
  const row rows[] = {
      {"§4.5", "v=spf10", "0: does not begin with \"v=spf1\""},
      {"no space in front", " v=spf1", "0: does not begin with \"v=spf1\""},
      {"a tab separates nothing", "v=spf1\ta", "0: does not begin with \"v=spf1\""},
      {"a tab in a term", "v=spf1 a\t-all", "7: unknown mechanism \"a\\x09-all\""},
      {"unknown mechanism", "v=spf1 a moo -all", "9: unknown mechanism \"moo\""},
      {"its position is behind the qualifier", "v=spf1 -moo", "8: unknown mechanism \"moo\""},
      {"only a qualifier", "v=spf1 -", "8: unknown mechanism \"\""},
      {"two qualifiers", "v=spf1 --all", "8: unknown mechanism \"-all\""},
      {"§5.1", "v=spf1 all:x", "10: \"all\" takes no argument"},
      {"§5.2", "v=spf1 include", "14: domain missing"},
      {"§5.2", "v=spf1 include:", "15: domain missing"},
      {"a prefix where none may be", "v=spf1 ptr/24", "10: \":\" and a domain expected"},
      {"IPv4 prefix", "v=spf1 a/33", "8: IPv4 prefix longer than 32"},
      {"IPv6 prefix", "v=spf1 a//129", "8: IPv6 prefix longer than 128"},
      {"two IPv4 prefixes", "v=spf1 a/24/24", "8: \":\" and a domain expected"},
      {"leading zero", "v=spf1 a/024", "8: \":\" and a domain expected"},
      {"no digits", "v=spf1 a/", "8: \":\" and a domain expected"},
      {"prefix too long for a number", "v=spf1 a/99999999999", "8: IPv4 prefix longer than 32"},
      {"ip4 without address", "v=spf1 ip4", "10: \":\" and an address expected"},
      {"leading zero in an address", "v=spf1 ip4:192.0.02.1", "11: no IPv4 address: \"192.0.02.1\""},
      {"IPv6 where IPv4 has to be", "v=spf1 ip4:::1", "11: no IPv4 address: \"::1\""},
      {"IPv4 where IPv6 has to be", "v=spf1 ip6:192.0.2.1", "11: no IPv6 address: \"192.0.2.1\""},
      {"ip4 prefix", "v=spf1 ip4:192.0.2.1/33", "20: prefix longer than 32"},
      {"ip6 prefix", "v=spf1 ip6:::1/129", "14: prefix longer than 128"},
      {"an address as domain", "v=spf1 a:192.0.2.1", "9: an address where a domain has to be (ip4: is meant?)"},
      {"one label", "v=spf1 a:museum", "9: a domain needs two labels at least: \"museum\""},
      {"numeric top label", "v=spf1 a:b.123", "11: \"123\" is no top-level domain"},
      {"a dot behind an expansion", "v=spf1 a:%{d}.", "13: a domain needs two labels at least: \".\""},
      {"an octet that is not ASCII", "v=spf1 a:b\x80.example", "10: a character that is not printable ASCII"},
      {"% alone", "v=spf1 a:%(d).example", "9: \"%\" without \"{\", \"%\", \"_\" or \"-\""},
      {"% at the end", "v=spf1 a:b.example%", "18: \"%\" without \"{\", \"%\", \"_\" or \"-\""},
      {"letter missing", "v=spf1 a:%{", "11: macro letter missing"},
      {"unknown letter", "v=spf1 a:%{x}", "11: unknown macro letter \"x\""},
      {"§7.2 letters of explanations", "v=spf1 a:%{c}", "11: macro letter \"c\" outside of an explanation"},
      {"the same in a modifier", "v=spf1 x=%{T}", "11: macro letter \"T\" outside of an explanation"},
      {"§7.1 nonzero", "v=spf1 a:%{d0}", "12: a macro that keeps 0 parts"},
      {"brace missing", "v=spf1 a:%{d", "12: \"}\" of a macro missing"},
      {"unknown delimiter", "v=spf1 a:%{d:}", "12: \"}\" of a macro missing"},
      {"§6 redirect twice", "v=spf1 redirect=a.example redirect=b.example", "26: \"redirect=\" stands twice"},
      {"§6 exp twice", "v=spf1 exp=a.example exp=a.example", "21: \"exp=\" stands twice"},
      {"exp without domain", "v=spf1 exp=", "11: domain missing"},
      {"no letter in front of the name", "v=spf1 1up=foo", "7: unknown mechanism \"1up=foo\""},
  };
  for (const row& each : rows) {
    CAPTURE(each.why);
    CHECK(read(each.in) == each.out);
    every_cut(each.in, [](std::string_view cut) { (void)spf::parse_record(cut); });
  }
  CHECK(!spf::parse_record("v=spf1" + std::string(base::limits::spf_record, ' ')));
}

TEST_CASE("§6.2: explanations") {
  CHECK(flat(*spf::parse_explanation("%{c} is not allowed, %{R} says at %{t}. See %{L}")) ==
        "<c> is not allowed, <r^> says at <t>. See <l^>");
  CHECK(spf::parse_explanation("")->empty());
  for (const char* bad : {"%{x}", "a\tb", "\xc3\xbc", "100%"}) CHECK(!spf::parse_explanation(bad));
}

TEST_CASE("§4.5: which TXT records are meant") {
  for (const char* yes : {"v=spf1", "v=spf1 ", "V=sPf1 -all"}) CHECK(spf::is_record(yes));
  for (const char* no : {"", "v=spf", "v=spf1\t", "v=spf10", "v=spf2.0/pra", " v=spf1", "v=spf1-all"})
    CHECK(!spf::is_record(no));
}

#include "briefwerk/mailauth/iprev.hpp"

#include <doctest/doctest.h>

#include <string>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/base/scripted_resolver.hpp"

using namespace briefwerk::mailauth;
namespace base = briefwerk::base;

namespace {

iprev_verdict check(base::resolver& dns, std::string_view ip) {
  return base::sync_wait(check_iprev(dns, base::ip_address::parse(ip).value()));
}

}  // namespace

TEST_CASE("RFC 8601 §3: a name that leads back") {
  base::scripted_resolver dns;
  dns.add_ptr("192.0.2.1", "forged.example").add_ptr("192.0.2.1", "mail.example.org.");
  dns.add_address("mail.example.org", "192.0.2.1").add_address("mail.example.org", "2001:db8::1");
  dns.add_address("forged.example", "192.0.2.9");
  dns.add_ptr("2001:db8::1", "mail.example.org")
      .add_ptr("192.0.2.2", "forged.example")
      .add_ptr("192.0.2.3", "absent.example");
  dns.add_failure("5.2.0.192.in-addr.arpa").add_ptr("192.0.2.6", "broken.example").add_failure("broken.example");
  dns.add_ptr("192.0.2.7", "broken.example")
      .add_ptr("192.0.2.7", "seven.example")
      .add_address("seven.example", "192.0.2.7");
  dns.add_ptr("192.0.2.8", "a..example").add_ptr("192.0.2.8", "\xff.example");
  struct row {
    const char* why;
    std::string_view ip;
    outcome result;
    std::string_view name;
  };
  const row rows[] = {
      {"the second name does", "192.0.2.1", outcome::pass, "mail.example.org"},
      {"IPv6", "2001:db8::1", outcome::pass, "mail.example.org"},
      {"a mapped address is IPv4", "::ffff:192.0.2.1", outcome::pass, "mail.example.org"},
      {"another address", "192.0.2.2", outcome::fail, ""},
      {"no address", "192.0.2.3", outcome::fail, ""},
      {"no name", "192.0.2.4", outcome::permerror, ""},
      {"no answer for the names", "192.0.2.5", outcome::temperror, ""},
      {"no answer for the addresses", "192.0.2.6", outcome::temperror, ""},
      {"no answer for one, another leads back", "192.0.2.7", outcome::pass, "seven.example"},
      {"names that cannot be", "192.0.2.8", outcome::fail, ""},
  };
  for (const row& each : rows) {
    CAPTURE(each.why);
    const auto found = check(dns, each.ip);
    CHECK(found.result == each.result);
    CHECK(found.name == each.name);
    CHECK(found.problem.empty() == (each.result == outcome::pass));
  }
}

TEST_CASE("only so many names are looked at") {
  base::scripted_resolver dns;
  for (unsigned i = 0; i < base::limits::iprev_names; ++i)
    dns.add_ptr("192.0.2.1", "x" + std::to_string(i) + ".example");
  dns.add_ptr("192.0.2.1", "good.example").add_address("good.example", "192.0.2.1");
  CHECK(check(dns, "192.0.2.1").result == outcome::fail);
  CHECK(dns.asked().size() == base::limits::iprev_names + 1);
}

TEST_CASE("iprev explains itself") {
  base::scripted_resolver dns;
  dns.add_ptr("192.0.2.1", "x.example").add_address("x.example", "192.0.2.1");
  trace_list list;
  base::sync_wait(check_iprev(dns, base::ip_address::parse("192.0.2.1").value(), tracer(&list)));
  REQUIRE(list.steps().size() == 3);
  CHECK(list.steps()[0].text == "PTR 1.2.0.192.in-addr.arpa: x.example");
  CHECK(list.steps()[1].text == "A x.example: 192.0.2.1");
  CHECK(list.steps()[2].text == "pass: 192.0.2.1 is x.example, and the other way round");
}

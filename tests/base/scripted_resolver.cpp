#include "briefwerk/base/scripted_resolver.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace briefwerk::base;

namespace {
dns_answer ask(resolver& from, std::string name, dns_type type) { return sync_wait(from.query(std::move(name), type)); }
}  // namespace

TEST_CASE("answers of each kind") {
  scripted_resolver dns;
  dns.add_mx("Example.ORG", 10, "mx1.example.org").add_mx("example.org.", 20, "mx2.example.org");
  dns.add_address("mx1.example.org", "192.0.2.1").add_address("mx1.example.org", "2001:db8::1");
  dns.add_txt("example.org", "v=spf1 -all").add_ptr("192.0.2.1", "mx1.example.org");
  dns.add_alias("www.example.org", "web.example.org").add_address("web.example.org", "192.0.2.3");
  dns.add_alias("a.example", "b.example").add_alias("b.example", "a.example");
  dns.add_name("empty.example").add_failure("broken.example", dns_type::mx);
  dns.add_failure("silent.example").add_txt("silent.example", "heard");
  dns.add("_25._tcp.mx1.example.org", dns_type::tlsa, {dns_tlsa{3, 1, 1, "digest"}}, true);

  const auto mx = ask(dns, "EXAMPLE.org", dns_type::mx);
  CHECK(mx.status == dns_status::found);
  REQUIRE(mx.records.size() == 2);
  CHECK(std::get<dns_mx>(mx.records[1]).exchange == "mx2.example.org");
  CHECK(!mx.authenticated);
  CHECK(ask(dns, "mx1.example.org", dns_type::aaaa).records.size() == 1);
  CHECK(std::get<dns_txt>(ask(dns, "example.org", dns_type::txt).records.at(0)).text == "v=spf1 -all");
  CHECK(std::get<dns_name>(ask(dns, "1.2.0.192.in-addr.arpa", dns_type::ptr).records.at(0)).name == "mx1.example.org");
  CHECK(ask(dns, "_25._tcp.mx1.example.org", dns_type::tlsa).authenticated);

  const auto alias = ask(dns, "www.example.org", dns_type::a);
  CHECK(alias.status == dns_status::found);
  CHECK(alias.canonical_name == "web.example.org");
  CHECK(ask(dns, "a.example", dns_type::a).status == dns_status::failed);
  CHECK(ask(dns, "www.example.org", dns_type::mx).status == dns_status::no_data);
  CHECK(ask(dns, "empty.example", dns_type::a).status == dns_status::no_data);
  CHECK(ask(dns, "absent.example", dns_type::a).status == dns_status::no_name);
  CHECK(ask(dns, "broken.example", dns_type::mx).status == dns_status::failed);
  CHECK(ask(dns, "silent.example", dns_type::txt).status == dns_status::found);
  CHECK(ask(dns, "silent.example", dns_type::a).status == dns_status::failed);
  CHECK(dns.asked().size() == 13);
  CHECK(dns.asked()[0] == scripted_resolver::question{"example.org", dns_type::mx});
}

TEST_CASE("a held question waits for release, or fails with the resolver's end") {
  for (const bool end_instead : {false, true}) {
    auto dns = std::make_unique<scripted_resolver>();
    dns->add_address("slow.example", "192.0.2.1").hold("slow.example");
    std::jthread helper([&] {
      while (dns->held() == 0) std::this_thread::yield();
      if (end_instead)
        dns.reset();
      else
        dns->release();
    });
    const auto answer = ask(*dns, "slow.example", dns_type::a);
    CHECK(answer.status == (end_instead ? dns_status::failed : dns_status::found));
  }
}

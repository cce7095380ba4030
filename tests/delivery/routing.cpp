// Which hosts take the mail of a domain, and what happens when they do not.

#include "briefwerk/delivery/routing.hpp"
#include "delivery/support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using delivery::hop_tls;

TEST_CASE("router: MX records and what stands in their place") {
  base::scripted_resolver dns;
  dns.add_mx("two.test", 20, "b.two.test").add_mx("two.test", 10, "a.two.test").add_mx("two.test", 30, "c.two.test");
  dns.add_address("implicit.test", "192.0.2.1");
  dns.add_mx("null.test", 0, "");
  dns.add_mx("ours.test", 10, "OUT.test");
  dns.add_mx("backup.test", 10, "primary.test").add_mx("backup.test", 20, "out.test").add_mx("backup.test", 20, "peer.test").add_mx("backup.test", 30, "last.test");
  dns.add_mx("xn--grn-ioa.test", 10, "mx.test");
  delivery::router router(dns, {.hostname = "out.test",
                                .overrides = {{"smart.test", "relay.test", 587, hop_tls::verified}, {"plain.test", "", 25, hop_tls::none}}});
  dns.add_mx("plain.test", 1, "mx.plain.test");
  struct row {
    const char* why;
    std::string domain;
    std::vector<std::string> hosts;
    int code = 0;
    hop_tls tls = hop_tls::required;
  };
  const row rows[] = {
      {"by preference", "two.test", {"a.two.test", "b.two.test", "c.two.test"}},
      {"RFC 5321 §5.1: implicit MX", "implicit.test", {"implicit.test"}},
      {"RFC 7505: null MX", "null.test", {}, 556},
      {"MX to ourselves", "ours.test", {}, 554},
      {"we are a backup: only those preferred to us", "backup.test", {"primary.test"}},
      {"NXDOMAIN", "nowhere.test", {}, 550},
      {"IDN", "gr\xc3\xbcn.test", {"mx.test"}},
      {"letter case", "TWO.Test", {"a.two.test", "b.two.test", "c.two.test"}},
      {"address literal", "[192.0.2.7]", {"[192.0.2.7]"}},
      {"address literal, IPv6", "[IPv6:2001:db8::1]", {"[ipv6:2001:db8::1]"}},
      {"an exception with a host", "smart.test", {"relay.test"}, 0, hop_tls::verified},
      {"an exception without", "plain.test", {"mx.plain.test"}, 0, hop_tls::none},
      {"nothing", "", {}, 550},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    const auto found = base::sync_wait(router.find(one.domain));
    if (const auto* refusal = std::get_if<smtp::reply>(&found)) {
      CHECK(refusal->code == one.code);
      continue;
    }
    CHECK(one.code == 0);
    const auto& way = std::get<delivery::route>(found);
    std::vector<std::string> hosts;
    for (const auto& hop : way.hops) hosts.push_back(hop.host);
    CHECK(hosts == one.hosts);
    CHECK(way.tls == one.tls);
  }
  const auto literal = base::sync_wait(router.resolve({.host = "[ipv6:2001:db8::1]"}));
  REQUIRE(literal.list.size() == 1);
  CHECK(literal.list[0].to_string() == "2001:db8::1");
}

TEST_CASE("router: addresses that mail is not sent to, whoever publishes them") {
  base::scripted_resolver dns;
  dns.add_address("mixed.test", "192.0.2.1").add_address("mixed.test", "127.0.0.1").add_address("mixed.test", "::ffff:127.0.0.2");
  dns.add_address("inside.test", "::1").add_address("inside.test", "127.9.9.9");
  delivery::router::options how;
  for (const char* network : {"127.0.0.0/8", "::1"}) how.ignored.push_back(*base::ip_network::parse(network));
  delivery::router router(dns, how);
  struct row {
    const char* why;
    delivery::next_hop hop;
    std::size_t left;
    bool ignored;
  };
  const row rows[] = {
      {"one is left", {.host = "mixed.test"}, 1, true},
      {"none is left", {.host = "inside.test"}, 0, true},
      {"a literal", {.host = "[127.0.0.1]"}, 0, true},
      {"a literal elsewhere", {.host = "[192.0.2.1]"}, 1, false},
      {"the administrator named it", {.host = "inside.test", .configured = true}, 2, false},
      {"there is none", {.host = "nowhere.test"}, 0, false},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    const auto found = base::sync_wait(router.resolve(one.hop));
    CHECK(found.list.size() == one.left);
    CHECK(found.ignored == one.ignored);
  }
}

TEST_CASE("router: both families have their turn, so that many addresses of one hide none of the other") {
  base::scripted_resolver dns;
  for (int i = 1; i < 12; ++i) dns.add_address("many.test", "2001:db8::" + std::to_string(i));
  dns.add_address("many.test", "192.0.2.1").add_address("many.test", "192.0.2.2");
  delivery::router router(dns, {});
  const auto found = base::sync_wait(router.resolve({.host = "many.test"}));
  REQUIRE(found.list.size() == 13);
  const char* first[] = {"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::3"};
  for (std::size_t i = 0; i < std::size(first); ++i) CHECK(found.list[i].to_string() == first[i]);
}

namespace {

// Two servers on one port of two addresses.
struct two_hosts {
  explicit two_hosts(sender_host& host) : host_(host) {}
  void start() {
    first.start({base::ip_address::v4({127, 0, 0, 51}), 0});
    second.start({base::ip_address::v4({127, 0, 0, 52}), first.port()});
    finish(first.port());
  }
  void start_second_only() {
    second.start({base::ip_address::v4({127, 0, 0, 52}), 0});
    finish(second.port());
  }
  void finish(std::uint16_t port) {
    host_.options.routing.port = port;
    host_.dns.add_mx("elsewhere.test", 10, "mx1.test").add_mx("elsewhere.test", 20, "mx2.test");
    host_.dns.add_address("mx1.test", "127.0.0.51").add_address("mx2.test", "127.0.0.52");
    host_.start();
    host_.put(host_.item({"bob@elsewhere.test"}));
  }
  peer_host first, second;

 private:
  sender_host& host_;
};

}  // namespace

TEST_CASE("queue: the second host gets it when the first cannot take it now") {
  sender_host host;
  two_hosts there(host);
  SUBCASE("refuses connections") { there.start_second_only(); }
  SUBCASE("has very many addresses, and nobody listens") {
    for (int i = 1; i < 20; ++i) host.dns.add_address("mx1.test", "127.78.0." + std::to_string(i));
    there.start_second_only();
  }
  SUBCASE("greets with 554") {
    there.first.greeting = smtp::reply{554, {5, 3, 2}, "Not here"};
    there.start();
  }
  SUBCASE("greets with 421") {
    there.first.greeting = smtp::reply{421, {4, 3, 2}, "Full"};
    there.start();
  }
  SUBCASE("answers 421 to MAIL") {
    there.first.mail_answer = smtp::reply{421, {4, 3, 2}, "Full"};
    there.start();
  }
  SUBCASE("has no TLS") {
    there.first.service.tls = nullptr;
    there.start();
  }
  REQUIRE(host.soon([&] { return host.empty(); }));
  CHECK(there.first.messages().empty());
  CHECK(there.second.messages().size() == 1);
  CHECK(host.inbox().empty());
}

TEST_CASE("queue: a refusal of the first host by 554 and a temporary one of the second is temporary") {
  sender_host host;
  two_hosts there(host);
  there.first.greeting = smtp::reply{554, {5, 3, 2}, "Not here"};
  SUBCASE("421") {
    there.second.greeting = smtp::reply{421, {4, 3, 2}, "Full"};
    there.start();
    REQUIRE(host.attempted(1));
    CHECK(host.queued()[0].recipients.at(0).last_reply == "421 4.3.2 Full");
    CHECK(host.queued()[0].recipients.at(0).last_host == "mx2.test");
    CHECK(host.inbox().empty());
  }
  SUBCASE("450 for the recipient") {
    there.second.answer("bob", {450, {4, 2, 1}, "Busy"});
    there.start();
    REQUIRE(host.attempted(1));
    CHECK(host.queued()[0].recipients.at(0).last_reply == "450 4.2.1 Busy");
    CHECK(host.inbox().empty());
  }
  SUBCASE("554 as well: permanent") {
    there.second.greeting = smtp::reply{554, {5, 3, 2}, "Not here either"};
    there.start();
    REQUIRE(host.soon([&] { return host.empty(); }));
    CHECK(host.inbox().size() == 1);
  }
}

TEST_CASE("queue: what DNS says about a domain") {
  struct row {
    const char* why;
    std::string domain;
    const char* reply;
    bool permanent;
  };
  const row rows[] = {
      {"NXDOMAIN", "nowhere.test", "550 5.1.2", true},
      {"null MX", "null.test", "556 5.1.10", true},
      {"MX to ourselves", "ours.test", "554 5.4.6", true},
      {"SERVFAIL", "broken.test", "451 4.4.3", false},
      {"a name without any address", "empty.test", "550 5.4.4", true},
      {"an MX whose address DNS does not tell now", "half.test", "451 4.4.3", false},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    sender_host host;
    host.dns.add_mx("null.test", 0, "").add_mx("ours.test", 10, "out.test").add_txt("empty.test", "x").add_mx("half.test", 10, "broken.test");
    for (const auto type : {base::dns_type::mx, base::dns_type::a, base::dns_type::aaaa}) host.dns.add_failure("broken.test", type);
    host.start();
    host.put(host.item({"bob@" + one.domain}));
    if (one.permanent) {
      REQUIRE(host.soon([&] { return host.empty(); }));
      REQUIRE(host.inbox().size() == 1);
      CHECK(contains(dsn(host.inbox()[0]).status(1, "Diagnostic-Code"), one.reply));
    } else {
      REQUIRE(host.attempted(1));
      CHECK(host.queued()[0].recipients.at(0).last_reply.starts_with(one.reply));
    }
  }
}

TEST_CASE("queue: an address literal as the domain") {
  sender_host host;
  peer_host peer;
  peer.start();
  host.options.routing.port = peer.port();
  host.start();
  host.put(host.item({"bob@[127.0.0.1]"}));
  REQUIRE(host.soon([&] { return host.empty(); }));
  CHECK(peer.messages().size() == 1);
}

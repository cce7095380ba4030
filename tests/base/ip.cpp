#include "briefwerk/base/ip.hpp"

#include <doctest/doctest.h>

using namespace briefwerk::base;

TEST_CASE("addresses: text there and back") {
  struct row { const char* why; std::string_view in, out; };
  const row rows[] = {
      {"dotted decimal", "192.0.2.1", "192.0.2.1"},
      {"bounds", "255.255.255.255", "255.255.255.255"},
      {"any", "0.0.0.0", "0.0.0.0"},
      {"RFC 4291 §2.2 full form", "2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"},
      {"RFC 4291 §2.2 multicast", "FF01:0:0:0:0:0:0:101", "ff01::101"},
      {"loopback", "0:0:0:0:0:0:0:1", "::1"},
      {"unspecified", "::", "::"},
      {"gap at the end", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"gap in front of seven", "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"RFC 5952 §4.1 leading zeros go", "2001:0db8::0001", "2001:db8::1"},
      {"RFC 5952 §4.2.2 one group is not shortened", "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"RFC 5952 §4.2.3 the longest run", "2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
      {"RFC 5952 §4.2.3 the first of equals", "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"run at the end", "2001:db8:1:0:0:0:0:0", "2001:db8:1::"},
      {"RFC 4291 §2.2 embedded dotted quad", "64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"embedded without a gap", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
      {"IPv4-mapped becomes IPv4", "::ffff:192.0.2.1", "192.0.2.1"},
      {"IPv4-mapped in hexadecimal", "::ffff:c000:201", "192.0.2.1"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const std::vector<char> exact(r.in.begin(), r.in.end());
    const auto got = ip_address::parse({exact.data(), exact.size()});
    REQUIRE(got);
    CHECK(got->to_string() == r.out);
    CHECK(ip_address::parse(got->to_string()).value() == *got);
  }
}

TEST_CASE("addresses: what is refused") {
  struct row { const char* why; std::string_view in; };
  const row rows[] = {
      {"empty", ""}, {"three octets", "1.2.3"}, {"five octets", "1.2.3.4.5"}, {"octet too large", "256.1.1.1"},
      {"leading zero", "192.0.2.01"}, {"sign", "+1.2.3.4"}, {"space", "1.2.3.4 "}, {"empty octet", "1..2.3"},
      {"final dot", "1.2.3.4."}, {"hexadecimal", "0x1.2.3.4"}, {"a number", "3221225985"},
      {"nine groups", "1:2:3:4:5:6:7:8:9"}, {"seven groups", "1:2:3:4:5:6:7"}, {"two gaps", "1::2::3"},
      {"three colons", "1:::2"}, {"colon in front", ":1:2:3:4:5:6:7"}, {"colon at the end", "1:2:3:4:5:6:7:"},
      {"only a colon", ":"}, {"gap for nothing", "1:2:3:4::5:6:7:8"}, {"five digits", "12345::"},
      {"no hexadecimal", "g::"}, {"zone", "fe80::1%eth0"}, {"brackets", "[::1]"},
      {"dotted quad not at the end", "1.2.3.4::"}, {"dotted quad too far", "1:2:3:4:5:6:7:1.2.3.4"},
      {"dotted quad before the gap", "::1.2.3.4:5"}, {"prefix", "::1/128"},
      {"too long", "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"}};
  for (const row& r : rows) CHECK_MESSAGE(!ip_address::parse(r.in), r.why);
}

TEST_CASE("addresses: other forms") {
  const auto v4 = ip_address::parse("192.0.2.1").value(), v6 = ip_address::parse("2001:db8::567:89ab").value();
  CHECK(v4.is_v4());
  CHECK(v6.is_v6());
  CHECK(v4.octets().size() == 4);
  CHECK(v6.octets().size() == 16);
  CHECK(v4.to_smtp_literal() == "[192.0.2.1]");
  CHECK(v6.to_smtp_literal() == "[IPv6:2001:db8::567:89ab]");
  CHECK(v4.reverse_name() == "1.2.0.192.in-addr.arpa");
  CHECK(v6.reverse_name() == "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
  CHECK(ip_address::parse("127.3.2.1")->is_loopback());
  CHECK(ip_address::parse("::1")->is_loopback());
  CHECK(ip_address::parse("::ffff:127.0.0.1")->is_loopback());
  CHECK(!v4.is_loopback());
  CHECK(!v6.is_loopback());
  CHECK(ip_address() == ip_address::parse("0.0.0.0").value());
  CHECK(ip_address() != ip_address::parse("::").value());
}

TEST_CASE("networks") {
  struct row { const char* why; std::string_view network, address; bool inside; };
  const row rows[] = {
      {"first", "192.0.2.0/24", "192.0.2.0", true},
      {"last", "192.0.2.0/24", "192.0.2.255", true},
      {"next", "192.0.2.0/24", "192.0.3.0", false},
      {"odd prefix inside", "10.0.0.0/9", "10.127.255.255", true},
      {"odd prefix outside", "10.0.0.0/9", "10.128.0.0", false},
      {"everything", "0.0.0.0/0", "203.0.113.9", true},
      {"one address", "192.0.2.1", "192.0.2.1", true},
      {"one address, another", "192.0.2.1", "192.0.2.2", false},
      {"families differ", "::/0", "192.0.2.1", false},
      {"mapped candidate in an IPv4 network", "192.0.2.0/24", "::ffff:192.0.2.7", true},
      {"mapped network", "::ffff:192.0.2.0/120", "192.0.2.7", true},
      {"IPv6 inside", "2001:db8::/33", "2001:db8:7fff::1", true},
      {"IPv6 outside", "2001:db8::/33", "2001:db8:8000::1", false},
      {"host bits do not matter", "192.0.2.77/24", "192.0.2.1", true},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto network = ip_network::parse(r.network);
    REQUIRE(network);
    CHECK(network->contains(ip_address::parse(r.address).value()) == r.inside);
  }
  CHECK(ip_network::parse("192.0.2.77/24")->to_string() == "192.0.2.0/24");
  CHECK(ip_network::parse("::1")->to_string() == "::1/128");
  for (const auto wrong : {"192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/08", "::/129", "/8", "x/8",
                           "::ffff:1.2.3.4/95", "192.0.2.0/24/1"})
    CHECK_MESSAGE(!ip_network::parse(wrong), wrong);
}

TEST_CASE("endpoints") {
  CHECK(endpoint::parse("192.0.2.1:25")->to_string() == "192.0.2.1:25");
  CHECK(endpoint::parse("[2001:db8::1]:993")->to_string() == "[2001:db8::1]:993");
  CHECK(endpoint::parse("[2001:db8::1]:993")->port == 993);
  CHECK(endpoint::parse("[::ffff:192.0.2.1]:25")->to_string() == "192.0.2.1:25");
  for (const auto wrong : {"192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:025", "2001:db8::1:25", "[::1]",
                           "[::1]25", "[192.0.2.1]:25", ":25", "[]:25", ""})
    CHECK_MESSAGE(!endpoint::parse(wrong), wrong);
}

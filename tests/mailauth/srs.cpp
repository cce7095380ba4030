#include <doctest/doctest.h>

#include <string>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/mailauth/srs.hpp"

namespace {

using namespace briefwerk;
using mail::mailbox_address;
using mailauth::srs;
using std::chrono::days;
using std::chrono::sys_seconds;

const base::crypto& the_crypto() {
  static const auto instance = crypto::make_boringssl();
  return *instance;
}

constexpr sys_seconds now{std::chrono::sys_days{std::chrono::year(2026) / 3 / 1}};
const srs ours(the_crypto(), {.secrets = {"key"}});

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}
std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

}  // namespace

TEST_CASE("SRS: there and back") {
  struct row {
    const char* why;
    mailbox_address sender;
  };
  const row rows[] = {
      {"plain", {"alice", "example.org"}},
      {"one character", {"a", "b"}},
      {"equals signs in the local part", {"a=b==c", "example.org"}},
      {"a tag, dots and a hyphen", {"first.last+tag-x", "sub.example.org"}},
      {"needs quotes", {"two words@\"x\"", "example.org"}},
      {"an address literal", {"root", "[192.0.2.1]"}},
      {"UTF-8 in the local part", {"j\xc3\xb6rg", "example.org"}},
      {"begins like a rewritten one", {"SRS", "example.org"}},
      {"begins like a rewritten one, other number", {"SRS2=x", "example.org"}},
      {"local part of 64 octets", {std::string(64, 'x'), "example.org"}},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    const auto there = ours.forward(one.sender, "forward.test", now);
    REQUIRE(there);
    CHECK(there->domain == "forward.test");
    CHECK(there->local.starts_with("SRS0="));
    CHECK(srs::is_rewritten(there->local));
    const auto back = ours.reverse(*there, now + days(3));
    REQUIRE(back);
    CHECK(*back == one.sender);
    // As a reverse-path on the wire it is what it was.
    const auto wire = mail::parse_mailbox(mail::format_mailbox(*there), mail::utf8::allow);
    REQUIRE(wire);
    CHECK(*wire == *there);
  }
  CHECK(ours.forward({"x",
                      "b\xc3\xbc"
                      "cher.example"},
                     "f.test", now)
            ->local.find("=xn--bcher-kva.example=x") != std::string::npos);
}

TEST_CASE("SRS: letter case may change on the way, nothing else") {
  const auto there = ours.forward({"Alice.Smith", "Example.org"}, "forward.test", now);
  REQUIRE(there);
  CHECK(ours.reverse({upper(there->local), "FORWARD.TEST"}, now)->local == "ALICE.SMITH");
  CHECK(ours.reverse({lower(there->local), "forward.test"}, now)->local == "alice.smith");
  for (std::size_t at = 5; at < there->local.size(); ++at) {
    CAPTURE(at);
    std::string bad = there->local;
    bad[at] = bad[at] == 'q' ? 'r' : 'q';
    if (lower(bad) == lower(there->local)) continue;
    const auto back = ours.reverse({bad, "forward.test"}, now);
    REQUIRE_FALSE(back);
    CHECK((back.error() == base::errc::denied || back.error() == base::errc::malformed));
  }
  for (std::size_t cut = 0; cut < there->local.size(); ++cut) {
    CHECK_FALSE(ours.reverse({there->local.substr(0, cut), "forward.test"}, now));
  }
  const srs other(the_crypto(), {.secrets = {"another key"}});
  CHECK(other.reverse(*there, now).error() == base::errc::denied);
}

TEST_CASE("SRS: an address ends, also across the end of the cycle of days; a new secret keeps the old one's bounces") {
  const auto there = ours.forward({"alice", "example.org"}, "forward.test", now);
  REQUIRE(there);
  CHECK(ours.reverse(*there, now + days(21)));
  CHECK(ours.reverse(*there, now + days(22)).error() == base::errc::timed_out);
  CHECK(ours.reverse(*there, now + days(500)).error() == base::errc::timed_out);
  CHECK(ours.reverse(*there, now - days(1)));
  CHECK(ours.reverse(*there, now - days(2)).error() == base::errc::timed_out);
  for (int day = 0; day < 1100; day += 7) {
    const auto later = ours.forward({"alice", "example.org"}, "forward.test", now + days(day));
    CHECK(ours.reverse(*later, now + days(day + 20)));
    CHECK_FALSE(ours.reverse(*later, now + days(day + 30)));
  }
  const srs renewed(the_crypto(), {.secrets = {"new", "key"}});
  CHECK(renewed.reverse(*there, now));
  CHECK(ours.reverse(*renewed.forward({"a", "b.test"}, "c.test", now), now).error() == base::errc::denied);
}

TEST_CASE("SRS: what another forwarder wrote is wrapped once, and bounces go to the first of them") {
  const srs second(the_crypto(), {.secrets = {"2"}}), third(the_crypto(), {.secrets = {"3"}});
  const auto first = ours.forward({"alice", "example.org"}, "one.test", now);
  const auto twice = second.forward(*first, "two.test", now);
  REQUIRE(twice);
  CHECK(twice->local.starts_with("SRS1="));
  const auto thrice = third.forward(*twice, "three.test", now);
  REQUIRE(thrice);
  CHECK(thrice->local.size() == twice->local.size());  // it does not grow with every hop
  CHECK(*third.reverse(*thrice, now) == *first);
  CHECK(*second.reverse(*twice, now) == *first);
  CHECK(ours.reverse(*third.reverse(*thrice, now), now)->local == "alice");
  CHECK(second.reverse(*thrice, now).error() == base::errc::denied);

  const auto plus = second.forward({"srs0+yf09=Cw=example.org=bob", "other.test"}, "two.test", now);
  REQUIRE(plus);
  CHECK(*second.reverse(*plus, now) == mailbox_address{"SRS0+yf09=Cw=example.org=bob", "other.test"});
  // SRS1 that cannot be read is a sender like any other.
  const auto odd = second.forward({"SRS1=x", "other.test"}, "two.test", now);
  REQUIRE(odd);
  CHECK(odd->local.starts_with("SRS0="));
  CHECK(second.reverse(*odd, now)->local == "SRS1=x");
}

TEST_CASE("SRS: what is no rewritten address, and what is too long") {
  for (const char* local : {"", "alice", "SRS0", "SRS0=", "SRS0=a", "SRS0=a=b", "SRS0=a=bb=c", "SRS0=aaaaaaaa=aa==x",
                            "SRS0=aaaaaaaa=aa=a b=x", "SRS0=aaaaaaaa=!!=a.test=x",
                            "SRS0=aaaaaaaa=aa=a.test=", "SRS1=", "SRS1=aaaaaaaa=a.test", "SRS1=aaaaaaaa=a.test=x",
                            "SRS1=aaaaaaaa==x", "SRS1=aaaaaaaa=a b==x=y"}) {
    CAPTURE(local);
    CHECK(ours.reverse({local, "forward.test"}, now).error() == base::errc::malformed);
  }
  CHECK_FALSE(srs::is_rewritten("SRS0"));
  CHECK_FALSE(srs::is_rewritten("SRSx=aaa"));
  const std::string room(base::limits::address_local_part - std::string("SRS0=hhhhhhhh=dd=a.test=").size(), 'x');
  CHECK(ours.forward({room, "a.test"}, "b.test", now));
  CHECK(ours.forward({room + "x", "a.test"}, "b.test", now).error() == base::errc::limit_exceeded);
}

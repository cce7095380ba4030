// Who is served first where each turn is costly.

#include "briefwerk/net/turn_line.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace briefwerk;
using net::standing;

namespace {

struct fixture {
  net::turn_line<std::string> line;
  void put(std::string name, std::string_view peer, standing of = standing::unknown) {
    line.put(of, base::ip_address::parse(peer).value(), std::move(name));
  }
  std::string take(std::size_t most = 1000) {
    std::string taken;
    while (most-- > 0 && !line.empty()) taken += line.take() + ' ';
    return taken;
  }
};

}  // namespace

TEST_CASE("turn line: one network in its order, several in turns") {
  fixture f;
  for (const char* name : {"a1", "a2", "a3"}) f.put(name, "192.0.2.1");
  CHECK(f.line.size() == 3);
  CHECK(f.take() == "a1 a2 a3 ");
  for (const char* name : {"a1", "a2", "a3", "a4"}) f.put(name, "192.0.2.1");
  f.put("a5", "192.0.2.255");  // another address of that /24
  f.put("b1", "192.0.3.1");
  f.put("b2", "192.0.3.2");
  f.put("c1", "2001:db8:1:1::1");
  f.put("c2", "2001:db8:1:2::1");  // the same /48
  f.put("d1", "2001:db8:2::1");
  CHECK(f.take(5) == "a1 b1 c1 d1 a2 ");
  f.put("d2", "2001:db8:2::1");  // anew behind those that wait
  CHECK(f.take() == "b2 c2 a3 d2 a4 a5 ");
  CHECK(f.line.empty());
}

TEST_CASE("turn line: better standing comes first, and nobody waits for ever") {
  fixture f;
  for (int i = 0; i < 1000; ++i) f.put("x", "10.0." + std::to_string(i % 250) + ".1", standing::doubtful);
  for (int i = 0; i < 3; ++i) f.put("u", "192.0.2.1");
  f.put("g", "198.51.100.1", standing::good);
  CHECK(f.take(5) == "g u u u x ");
  f.put("g", "198.51.100.1", standing::good);
  CHECK(f.take(2) == "g x ");
  f.take();

  // A crowd of good ones that never ends.
  f.put("x", "10.0.0.1", standing::doubtful);
  f.put("u", "192.0.2.1");
  int until_x = 0, until_u = 0;
  for (int turn = 1; turn <= 100; ++turn) {
    f.put("g", "198.51.100.1", standing::good);
    const std::string taken = f.take(1);
    if (taken == "x ") until_x = turn;
    if (taken == "u ") until_u = turn;
  }
  CHECK(until_x > 8);
  CHECK(until_u > 8);
  CHECK(until_x <= 10);
  CHECK(until_u <= 10);
}

TEST_CASE("turn line: who has to go for a newcomer") {
  fixture f;
  const auto displaced_by = [&](std::string_view peer, standing of) {
    return f.line.displace(of, base::ip_address::parse(peer).value()).value_or("nobody");
  };
  CHECK(displaced_by("192.0.2.1", standing::good) == "nobody");
  for (const char* name : {"a1", "a2", "a3"}) f.put(name, "192.0.2.1");
  f.put("b1", "192.0.3.1");
  f.put("b2", "192.0.3.1");
  CHECK(displaced_by("10.0.0.1", standing::doubtful) == "nobody");
  CHECK(displaced_by("192.0.2.7", standing::unknown) == "nobody");
  CHECK_MESSAGE(displaced_by("192.0.3.7", standing::unknown) == "nobody", "it would have as many as they");
  CHECK_MESSAGE(displaced_by("192.0.4.1", standing::unknown) == "a3", "the last of those that have the most");
  f.put("x1", "10.0.0.1", standing::doubtful);
  f.put("y1", "10.0.1.1", standing::doubtful);
  f.put("y2", "10.0.1.1", standing::doubtful);
  CHECK(displaced_by("192.0.2.7", standing::unknown) == "y2");
  CHECK(displaced_by("192.0.2.7", standing::good) == "x1");
  CHECK(displaced_by("10.0.2.1", standing::doubtful) == "nobody");
  CHECK(displaced_by("192.0.2.7", standing::unknown) == "y1");
  CHECK(f.line.size() == 4);
  CHECK(displaced_by("192.0.2.7", standing::good) == "a2");
  CHECK(f.take() == "a1 b1 b2 ");
}

TEST_CASE("turn line: a crowd of networks delays one step by its own rank only") {
  fixture f;
  for (int i = 0; i < 5000; ++i) {
    f.put("x", "10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".1", standing::doubtful);
  }
  int worst = 0;
  for (int round = 0; round < 200; ++round) {
    f.put("g", "198.51.100.1", standing::good);
    int turns = 1;
    while (f.take(1) != "g ") ++turns;
    worst = std::max(worst, turns);
  }
  CHECK(worst == 2);  // one of the crowd, now and then
}

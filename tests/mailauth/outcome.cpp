#include "briefwerk/mailauth/outcome.hpp"

#include <doctest/doctest.h>

using briefwerk::mailauth::outcome;
using briefwerk::mailauth::parse_outcome;
using briefwerk::mailauth::to_string;

TEST_CASE("RFC 8601 §2.7: each keyword is written and read") {
  for (const auto what : {outcome::none, outcome::pass, outcome::fail, outcome::softfail, outcome::neutral,
                          outcome::policy, outcome::temperror, outcome::permerror}) {
    CHECK(parse_outcome(to_string(what)) == what);
  }
  CHECK(to_string(outcome::softfail) == "softfail");
  CHECK(parse_outcome("PASS") == outcome::pass);
  CHECK(!parse_outcome("passed"));
  CHECK(!parse_outcome(""));
}

#include "briefwerk/mail/rights.hpp"

#include <doctest/doctest.h>

using namespace briefwerk::mail;

TEST_CASE("rights: letters and bits, RFC 4314 §2.1") {
  struct row {
    const char* why;
    const char* in;
    const char* out;  // null: refused
  };
  const row rows[] = {
      {"none", "", ""},
      {"all", "lrswipkxtea", "lrswipkxtecda"},
      {"any order, twice", "srrl", "lrs"},
      {"§2.1.1: d is e and t", "lrswida", "lrswiteda"},
      {"§2.1.1: c is k and x", "c", "kxc"},
      {"§2.1.1: one of theirs is enough to tell them", "lrkt", "lrktcd"},
      {"upper case is not allowed", "lR", nullptr},
      {"§3.1: not a right", "lrqs", nullptr},
      {"digits are for others", "0", nullptr},
  };
  for (const auto& one : rows) {
    CAPTURE(one.why);
    const auto parsed = parse_rights(one.in);
    REQUIRE(parsed.has_value() == (one.out != nullptr));
    if (!parsed) continue;
    CHECK(rights_text(*parsed) == one.out);
  }
}

TEST_CASE("rights: which flags they let somebody change, RFC 4314 §4") {
  CHECK(changeable_flags(rights::lookup | rights::read) == 0);
  CHECK(changeable_flags(rights::seen) == flags::seen);
  CHECK(changeable_flags(rights::mark) == flags::deleted);
  CHECK(changeable_flags(rights::write) == ((flags::system_mask | flags::keyword_mask) & ~(flags::seen | flags::deleted)));
  CHECK(changeable_flags(rights::all) == (flags::system_mask | flags::keyword_mask));
}

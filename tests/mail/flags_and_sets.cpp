#include <doctest/doctest.h>

#include <set>

#include "briefwerk/mail/flags.hpp"
#include "briefwerk/mail/special_use.hpp"
#include "briefwerk/mail/uid_set.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;
using mail::uid_set;

TEST_CASE("flags: names, bits, lists") {
  CHECK(mail::system_flag("\\seen") == mail::flags::seen);
  CHECK(mail::system_flag("\\Recent") == mail::flags::recent);
  CHECK_FALSE(mail::system_flag("\\Foo"));
  CHECK_FALSE(mail::system_flag("Seen"));
  CHECK(mail::system_flag_name(mail::flags::draft) == "\\Draft");
  CHECK(mail::system_flag_name(mail::flags::draft | mail::flags::seen).empty());
  CHECK(mail::keyword_bit(47) == mail::flag_set{1} << 63);

  std::string out;
  const std::string keywords[] = {"$Junk", "", "work"};
  mail::append_flags(out, mail::flags::seen | mail::flags::answered | mail::keyword_bit(0) | mail::keyword_bit(1) |
                              mail::keyword_bit(2) | mail::keyword_bit(9), keywords);
  CHECK(out == "\\Answered \\Seen $Junk work");

  struct row { std::string_view why; std::string_view name; bool ok; };
  const row rows[] = {
      {"RFC 9051 §9 flag-keyword = atom", "$Forwarded", true},
      {"§9 atom-specials: backslash", "\\Foo", false},
      {"§9 atom-specials: space", "a b", false},
      {"§9 resp-specials: ]", "a]", false},
      {"§9 list-wildcards", "a*", false},
      {"at least one character", "", false},
      {"7 bit only", "gr\xc3\xbcn", false},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    CHECK(mail::is_keyword(r.name) == r.ok);
  }
  for (const auto keyword : mail::common_keywords) CHECK(mail::is_keyword(keyword));
}

TEST_CASE("special use, RFC 6154 §2") {
  for (int i = 1; i <= 8; ++i) {
    const auto use = static_cast<mail::special_use>(i);
    CHECK(mail::parse_special_use(mail::special_use_name(use)) == use);
  }
  CHECK(mail::parse_special_use("\\sent") == mail::special_use::sent);
  CHECK_FALSE(mail::parse_special_use("\\Outbox"));
  CHECK_FALSE(mail::parse_special_use(""));
}

TEST_CASE("uid sets are parsed whole and cut, RFC 9051 §9 sequence-set") {
  struct row { std::string_view why; std::string_view in; std::string_view out; };
  const row rows[] = {
      {"one number", "7", "7"},
      {"ranges in any direction and order, joined", "9:7,1,2:3,8:10", "1:3,7:10"},
      {"the largest number there is", "4294967295,4294967294", "4294967294:4294967295"},
      {"nz-number: no zero", "0", "malformed"},
      {"nz-number: no leading zero", "01", "malformed"},
      {"32 bits", "4294967296", "malformed"},
      {"* has to be resolved first", "1:*", "malformed"},
      {"no empty member", "1,,2", "malformed"},
      {"no end on a comma", "1,", "malformed"},
      {"no end on a colon", "1:", "malformed"},
      {"not empty", "", "malformed"},
      {"nothing behind", "1 ", "malformed"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    test::with_exact_block(r.in, [&](std::string_view text) {
      const auto set = uid_set::parse(text);
      CHECK((set ? set->to_string() : "malformed") == r.out);
    });
    test::with_every_cut(r.in, [](std::string_view text) {
      const auto set = uid_set::parse(text);
      if (set) CHECK(uid_set::parse(set->to_string()) == *set);
      CHECK((mail::sequence_set::parse(text).has_value() || !set));
    });
  }
  std::string many = "1";
  for (int i = 0; i < 20001; ++i) many += ",3";
  CHECK(uid_set::parse(many).error() == base::errc::limit_exceeded);
}

TEST_CASE("sequence sets: what * means") {
  struct row { std::string_view why; std::string_view in; std::uint32_t largest; std::string_view out; };
  const row rows[] = {
      {"* is the largest", "*", 9, "9"},
      {"open range", "4:*", 9, "4:9"},
      {"open range backwards", "*:4", 9, "4:9"},
      {"RFC 9051 §9: 3291:* with the largest below is the largest alone", "12:*", 9, "9"},
      {"an empty mailbox has no *", "*,4:*", 0, ""},
      {"other numbers are not cut", "1,20", 9, "1,20"},
      {"*:*", "*:*", 9, "9"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    const auto set = mail::sequence_set::parse(r.in);
    REQUIRE(set);
    CHECK(set->resolve(r.largest).to_string() == r.out);
  }
}

TEST_CASE("uid sets do what a set of numbers does") {
  uid_set ours;
  std::set<std::uint32_t> model;
  std::uint32_t random = 12345;
  const auto next = [&](std::uint32_t below) {
    random = random * 1664525u + 1013904223u;
    return (random >> 8) % below;
  };
  for (int round = 0; round < 3000; ++round) {
    const auto first = 1 + next(300), last = first + next(9);
    if (next(3) == 0) {
      ours.erase(first, last);
      for (auto n = first; n <= last; ++n) model.erase(n);
    } else {
      ours.insert(first, last);
      for (auto n = first; n <= last; ++n) model.insert(n);
    }
    REQUIRE(ours.size() == model.size());
    const auto probe = 1 + next(320);
    REQUIRE(ours.contains(probe) == model.contains(probe));
    for (std::size_t i = 1; i < ours.ranges().size(); ++i)
      REQUIRE(ours.ranges()[i - 1].last + 1 < ours.ranges()[i].first);
  }
  std::vector<std::uint32_t> numbers;
  ours.for_each([&](std::uint32_t n) { numbers.push_back(n); });
  CHECK(std::ranges::equal(numbers, model));

  uid_set all{{1, 0xffffffffu}};
  CHECK(all.size() == 0xffffffffu);
  all.insert(5);
  CHECK(all.ranges().size() == 1);
  all.erase(1, 0xfffffffeu);
  CHECK(all.to_string() == "4294967295");
  CHECK(uid_set({{1, 5}, {9, 12}}).intersection(uid_set({{4, 10}})).to_string() == "4:5,9:10");
  uid_set joined{{1, 2}, {5, 6}};
  joined.insert(uid_set({{3, 4}, {10, 10}, {12, 12}, {14, 14}, {16, 16}}));
  CHECK(joined.to_string() == "1:6,10,12,14,16");
}

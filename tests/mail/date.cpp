#include <doctest/doctest.h>

#include "briefwerk/mail/date.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;

TEST_CASE("dates of messages, whole and cut") {
  struct row { std::string_view why; std::string_view in; std::string_view out; };
  const row rows[] = {
      {"RFC 5322 §3.3", "Sat, 7 Nov 2026 10:15:00 +0100", "Sat, 7 Nov 2026 10:15:00 +0100"},
      {"RFC 5322 appendix A.6.2 obs-date", "21 Nov 97 09:55:06 GMT", "Fri, 21 Nov 1997 09:55:06 +0000"},
      {"appendix A.6.3: comments and folding everywhere",
       "Thu(comment),\r\n 13\r\n   Feb\r\n     1969\r\n 23:32\r\n      -0330 (Newfoundland Time)",
       "Thu, 13 Feb 1969 23:32:00 -0330"},
      {"§4.3: two digits, below 50", "1 Jan 49 00:00 +0000", "Fri, 1 Jan 2049 00:00:00 +0000"},
      {"§4.3: three digits", "1 Jan 103 00:00:00 +0000", "Wed, 1 Jan 2003 00:00:00 +0000"},
      {"§4.3: named zone", "Fri, 21 Nov 1997 09:55:06 PDT", "Fri, 21 Nov 1997 09:55:06 -0700"},
      {"§4.3: military zones say nothing", "Fri, 21 Nov 1997 09:55:06 A", "Fri, 21 Nov 1997 09:55:06 +0000"},
      {"§3.3: leap second", "Wed, 31 Dec 2008 23:59:60 +0000", "Thu, 1 Jan 2009 00:00:00 +0000"},
      {"no zone", "Fri, 21 Nov 1997 09:55:06", "Fri, 21 Nov 1997 09:55:06 +0000"},
      {"day name that is wrong", "Mon, 21 Nov 1997 09:55:06 +0000", "Fri, 21 Nov 1997 09:55:06 +0000"},
      {"month with its whole name, one digit hour", "Fri, 21 November 1997 9:55:06 +0000", "Fri, 21 Nov 1997 09:55:06 +0000"},
      {"date in the manner of IMAP", "21-Nov-1997 09:55:06 +0000", "Fri, 21 Nov 1997 09:55:06 +0000"},
      {"29 February where there is one", "29 Feb 2024 00:00:00 +0000", "Thu, 29 Feb 2024 00:00:00 +0000"},
      {"29 February where there is none", "29 Feb 2023 00:00:00 +0000", ""},
      {"hour 24", "21 Nov 1997 24:00:00 +0000", ""},
      {"no such month", "21 Foo 1997 09:55:06 +0000", ""},
      {"five digits of a year", "21 Nov 19970 09:55:06 +0000", ""},
      {"nothing", "", ""},
      {"text", "yesterday", ""},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    test::with_exact_block(r.in, [&](std::string_view text) {
      const auto date = mail::parse_date(text);
      CHECK((date ? mail::format_date(*date) : "") == r.out);
      if (date) CHECK(mail::parse_date(mail::format_date(*date)) == *date);
    });
    test::with_every_cut(r.in, [](std::string_view text) { (void)mail::parse_date(text); });
  }
}

TEST_CASE("INTERNALDATE and SEARCH dates, RFC 9051 §9") {
  struct row { std::string_view why; std::string_view in; bool ok; };
  const row rows[] = {
      {"date-day-fixed with two digits", "17-Jul-1996 02:44:25 -0700", true},
      {"date-day-fixed with a space", " 7-Jul-1996 02:44:25 +1345", true},
      {"26 characters", "7-Jul-1996 02:44:25 -0700", false},
      {"month names of three letters", "17-Jly-1996 02:44:25 -0700", false},
      {"a zone is needed", "17-Jul-1996 02:44:25 PDT  ", false},
      {"minutes below 60", "17-Jul-1996 02:44:25 +0060", false},
      {"no such day", "31-Jun-1996 02:44:25 +0000", false},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    test::with_exact_block(r.in, [&](std::string_view text) {
      const auto date = mail::parse_internal_date(text);
      REQUIRE(date.has_value() == r.ok);
      if (date) CHECK(mail::format_internal_date(date->instant, date->offset_minutes) == r.in);
    });
    test::with_every_cut(r.in, [&](std::string_view text) {
      CHECK((!mail::parse_internal_date(text) || text.size() == r.in.size()));
    });
  }
  using namespace std::chrono;
  CHECK(mail::parse_imap_date("1-Feb-1994").value() == sys_days(1994y / February / 1));
  CHECK(mail::parse_imap_date("01-feb-1994").value() == sys_days(1994y / February / 1));
  CHECK_FALSE(mail::parse_imap_date("1-Feb-94"));
  CHECK_FALSE(mail::parse_imap_date("30-Feb-1994"));
  CHECK_FALSE(mail::parse_imap_date("1-Feb-1994 "));
  // What cannot be written with four digits is brought near.
  CHECK(mail::format_internal_date(sys_seconds(seconds(std::int64_t{1} << 40))).substr(7, 4) == "9999");
  CHECK(mail::format_internal_date(sys_seconds(-seconds(std::int64_t{1} << 40))).substr(7, 4) == "0001");
}

#pragma once

// Dates of messages (RFC 5322 §3.3 and §4.3) and of IMAP (RFC 9051 §9 date-time).

#include <chrono>
#include <string>
#include <string_view>

#include "briefwerk/base/result.hpp"

namespace briefwerk::mail {

struct date_time {
  std::chrono::sys_seconds instant;
  int offset_minutes = 0;  // of the zone it was written in, east of UTC, -1439 to 1439
  bool operator==(const date_time&) const = default;
};

// A Date field's value. Tolerant: day name optional and unchecked, comments and folding anywhere, two- and
// three-digit years (RFC 5322 §4.3), obsolete and military zones (unknown ones count as +0000), seconds optional,
// a zone that is missing. A day or an hour that does not exist is errc::malformed.
base::result<date_time> parse_date(std::string_view value);

// "Sat, 7 Nov 2026 10:15:00 +0100"
std::string format_date(date_time when);

// INTERNALDATE: "dd-Mon-yyyy hh:mm:ss +zzzz", 26 characters, day padded with a space, no quotes.
base::result<date_time> parse_internal_date(std::string_view text);
std::string format_internal_date(std::chrono::sys_seconds when, int offset_minutes = 0);

// IMAP date of SEARCH, "7-Nov-2026" without quotes.
base::result<std::chrono::sys_days> parse_imap_date(std::string_view text);

}  // namespace briefwerk::mail

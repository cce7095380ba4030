#include "briefwerk/mail/date.hpp"

#include <array>

#include "mail/ascii.hpp"

namespace briefwerk::mail {
namespace {

using base::errc;
using base::fail;

constexpr std::string_view months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::string_view days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

class reader {
 public:
  explicit reader(std::string_view text) : text_(text) {}

  void skip() { ascii::skip_cfws(text_); }
  bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool at_digit() const { return !text_.empty() && ascii::is_digit(text_.front()); }
  bool empty() const { return text_.empty(); }

  // Number of `least` to `most` digits; their count is returned, 0 when it does not fit.
  int number(int least, int most, int& value) {
    int count = 0;
    value = 0;
    while (at_digit()) {
      if (count == most) return 0;
      value = value * 10 + (text_.front() - '0');
      text_.remove_prefix(1);
      ++count;
    }
    return count < least ? 0 : count;
  }

  std::string_view word() {
    std::size_t i = 0;
    while (i < text_.size() && ascii::is_alpha(text_[i])) ++i;
    const auto out = text_.substr(0, i);
    text_.remove_prefix(i);
    return out;
  }

  bool month(unsigned& value) {
    const auto name = word();
    for (unsigned i = 0; i < 12; ++i) {
      if (name.size() < 3 || !ascii::equals(name.substr(0, 3), months[i])) continue;
      value = i + 1;
      return true;
    }
    return false;
  }

 private:
  std::string_view text_;
};

// RFC 5322 §4.3. Military zones were given wrong signs in RFC 822, so they and unknown names say nothing: +0000.
int named_zone(std::string_view name) {
  struct zone {
    std::string_view name;
    int hours;
  };
  constexpr zone zones[] = {{"EST", -5}, {"EDT", -4}, {"CST", -6}, {"CDT", -5},
                            {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}};
  for (const auto& z : zones)
    if (ascii::equals(z.name, name)) return z.hours * 60;
  return 0;
}

// "+hhmm", a name, or nothing.
bool read_zone(reader& in, bool strict, int& minutes) {
  const bool minus = in.take('-');
  if (minus || in.take('+')) {
    int value = 0;
    if (in.number(4, 4, value) == 0 || value % 100 > 59 || value / 100 > 23) return false;
    minutes = (value / 100 * 60 + value % 100) * (minus ? -1 : 1);
    return true;
  }
  minutes = 0;
  if (strict) return false;
  minutes = named_zone(in.word());
  return true;
}

bool read_time(reader& in, bool strict, std::chrono::seconds& time) {
  int hour = 0, minute = 0, second = 0;
  const auto separate = [&] {
    if (!strict) in.skip();
    const bool colon = in.take(':') || (!strict && in.take('.'));
    if (!strict) in.skip();
    return colon;
  };
  const int least = strict ? 2 : 1;
  if (in.number(least, 2, hour) == 0 || !separate() || in.number(least, 2, minute) == 0) return false;
  if (separate() ? in.number(least, 2, second) == 0 : strict) return false;
  // RFC 5322 §3.3: 60 is a leap second.
  if (hour > 23 || minute > 59 || second > 60) return false;
  time = std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
  return true;
}

base::result<std::chrono::sys_days> make_day(int year, unsigned month, int day) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return fail(errc::malformed);
  return std::chrono::sys_days(date);
}

void append_padded(std::string& out, int value, int width, char fill = '0') {
  std::array<char, 8> digits{};
  for (int i = width; i-- != 0; value /= 10) digits[static_cast<std::size_t>(i)] = static_cast<char>('0' + value % 10);
  for (std::size_t i = 0; i + 1 < static_cast<std::size_t>(width) && digits[i] == '0'; ++i) digits[i] = fill;
  out.append(digits.data(), static_cast<std::size_t>(width));
}

void append_time_and_zone(std::string& out, std::chrono::seconds of_day, int offset) {
  const auto seconds = static_cast<int>(of_day.count());
  append_padded(out, seconds / 3600, 2);
  out += ':';
  append_padded(out, seconds / 60 % 60, 2);
  out += ':';
  append_padded(out, seconds % 60, 2);
  out += offset < 0 ? " -" : " +";
  const int minutes = offset < 0 ? -offset : offset;
  append_padded(out, minutes / 60 % 24, 2);
  append_padded(out, minutes % 60, 2);
}

struct local_time {
  std::chrono::year_month_day date;
  std::chrono::sys_days day;
  std::chrono::seconds of_day;
};

local_time to_local(std::chrono::sys_seconds when, int offset) {
  const auto local = when + std::chrono::minutes(offset);
  const auto day = std::chrono::floor<std::chrono::days>(local);
  return {std::chrono::year_month_day(day), day, local - day};
}

// Years are written with four digits; what lies outside is brought to the nearest second that can be written.
std::chrono::sys_seconds writable(std::chrono::sys_seconds when) {
  using namespace std::chrono;
  const sys_seconds first = sys_days(year(1) / January / 2);
  const sys_seconds last = sys_days(year(9999) / December / 30);
  return when < first ? first : when > last ? last : when;
}

}  // namespace

base::result<date_time> parse_date(std::string_view value) {
  reader in(value);
  in.skip();
  if (!in.at_digit()) {  // day-of-week
    in.word();
    in.skip();
    in.take(',');
    in.take('.');
    in.skip();
    in.take(',');
    in.skip();
  }
  int day = 0, year = 0;
  unsigned month = 0;
  if (in.number(1, 2, day) == 0) return fail(errc::malformed);
  in.skip();
  if (in.take('-')) in.skip();
  if (!in.month(month)) return fail(errc::malformed);
  in.skip();
  if (in.take('-') || in.take('.')) in.skip();
  const int digits = in.number(2, 4, year);
  if (digits == 0) return fail(errc::malformed);
  // RFC 5322 §4.3
  if (digits == 2) year += year < 50 ? 2000 : 1900;
  else if (digits == 3) year += 1900;
  in.skip();
  in.take(',');
  in.skip();
  std::chrono::seconds time{};
  if (!read_time(in, false, time)) return fail(errc::malformed);
  in.skip();
  int offset = 0;
  if (!read_zone(in, false, offset)) offset = 0;
  auto date = make_day(year, month, day);
  if (!date) return fail(date.error());
  return date_time{*date + time - std::chrono::minutes(offset), offset};
}

std::string format_date(date_time when) {
  const auto local = to_local(writable(when.instant), when.offset_minutes);
  std::string out(days[std::chrono::weekday(local.day).c_encoding()]);
  out += ", ";
  const auto day = static_cast<int>(static_cast<unsigned>(local.date.day()));
  append_padded(out, day, day < 10 ? 1 : 2);
  out += ' ';
  out += months[static_cast<unsigned>(local.date.month()) - 1];
  out += ' ';
  append_padded(out, static_cast<int>(local.date.year()), 4);
  out += ' ';
  append_time_and_zone(out, local.of_day, when.offset_minutes);
  return out;
}

// RFC 9051 §9: date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
base::result<date_time> parse_internal_date(std::string_view text) {
  if (text.size() != 26) return fail(errc::malformed);
  reader in(text);
  int day = 0, year = 0, offset = 0;
  unsigned month = 0;
  const int digits = in.take(' ') ? 1 : 2;
  std::chrono::seconds time{};
  if (in.number(digits, digits, day) == 0 || !in.take('-') || !in.month(month) || !in.take('-') ||
      in.number(4, 4, year) == 0 || !in.take(' ') || !read_time(in, true, time) || !in.take(' ') ||
      !read_zone(in, true, offset) || !in.empty())
    return fail(errc::malformed);
  auto date = make_day(year, month, day);
  if (!date) return fail(date.error());
  return date_time{*date + time - std::chrono::minutes(offset), offset};
}

std::string format_internal_date(std::chrono::sys_seconds when, int offset_minutes) {
  const auto local = to_local(writable(when), offset_minutes);
  std::string out;
  out.reserve(26);
  append_padded(out, static_cast<int>(static_cast<unsigned>(local.date.day())), 2, ' ');
  out += '-';
  out += months[static_cast<unsigned>(local.date.month()) - 1];
  out += '-';
  append_padded(out, static_cast<int>(local.date.year()), 4);
  out += ' ';
  append_time_and_zone(out, local.of_day, offset_minutes);
  return out;
}

// RFC 9051 §9: date-text = date-day "-" date-month "-" date-year
base::result<std::chrono::sys_days> parse_imap_date(std::string_view text) {
  reader in(text);
  int day = 0, year = 0;
  unsigned month = 0;
  if (in.number(1, 2, day) == 0 || !in.take('-') || !in.month(month) || !in.take('-') || in.number(4, 4, year) == 0 ||
      !in.empty())
    return fail(errc::malformed);
  return make_day(year, month, day);
}

}  // namespace briefwerk::mail

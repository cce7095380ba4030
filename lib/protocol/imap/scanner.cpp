#include "protocol/imap/scanner.hpp"

#include <chrono>
#include <cstring>

#include "briefwerk/mail/charset.hpp"

namespace briefwerk::protocol::imap {

bool scanner::accept_word(std::string_view capitals) noexcept {
  const auto rest = text_.substr(at_);
  if (rest.size() < capitals.size() || !is_word(rest.substr(0, capitals.size()), capitals)) return false;
  if (rest.size() > capitals.size() && has_class(rest[capitals.size()], in_atom)) return false;
  at_ += capitals.size();
  return true;
}

bool scanner::run(std::string_view& out, std::uint8_t classes, errc why) noexcept {
  const auto start = at_;
  while (at_ < text_.size() && has_class(text_[at_], classes)) ++at_;
  if (at_ == start) return refuse(done() ? errc::missing_argument : why);
  out = text_.substr(start, at_ - start);
  return true;
}

bool scanner::item_name(std::string_view& out) noexcept {
  const auto start = at_;
  while (has_class(peek(), in_atom) && peek() != '[') ++at_;
  if (at_ == start) return refuse(done() ? errc::missing_argument : errc::bad_argument);
  out = text_.substr(start, at_ - start);
  return true;
}

bool scanner::string(std::string_view& out) {
  if (peek() == '"') return quoted(out);
  if (peek() == '{') return literal(out);
  return refuse(done() ? errc::missing_argument : errc::bad_string);
}

bool scanner::astring(std::string_view& out) {
  if (has_class(peek(), in_astring)) return run(out, in_astring);
  return string(out);
}

bool scanner::nstring(std::optional<std::string_view>& out) {
  if (accept_word("NIL")) {
    out.reset();
    return true;
  }
  std::string_view text;
  if (!string(text)) return false;
  out = text;
  return true;
}

bool scanner::nstring8(std::optional<std::string_view>& out) {
  if (!accept('~')) return nstring(out);
  if (peek() != '{') return refuse(errc::bad_string);
  std::string_view octets;
  if (!literal(octets, true)) return false;
  out = octets;
  return true;
}

// quoted = DQUOTE *QUOTED-CHAR DQUOTE
bool scanner::quoted(std::string_view& out) {
  const auto start = ++at_;
  std::size_t escapes = 0;
  for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
    if (has_class(text_[at_], in_quoted)) continue;
    if (text_[at_] != '\\' || at_ + 1 == text_.size()) return refuse(errc::bad_string);
    const char escaped = text_[++at_];
    if (escaped != '"' && escaped != '\\') return refuse(errc::bad_string);
    ++escapes;
  }
  if (done()) return refuse(errc::bad_string);
  out = text_.substr(start, at_++ - start);
  if (escapes == 0) return true;
  char* const to = memory_.take<char>(out.size() - escapes);
  char* end = to;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] == '\\') ++i;
    *end++ = out[i];
  }
  out = {to, static_cast<std::size_t>(end - to)};
  return true;
}

// literal = "{" number64 ["+"] "}" CRLF *CHAR8; the octets are in place.
bool scanner::literal(std::string_view& out, bool may_hold_nul) noexcept {
  ++at_;
  std::uint64_t size = 0;
  if (!number64(size)) return refuse_as(errc::bad_string);
  accept('+');
  if (!accept('}') || !accept('\r') || !accept('\n') || size > text_.size() - at_) {
    return refuse_as(errc::bad_string);
  }
  out = text_.substr(at_, size);
  at_ += size;
  // RFC 9051 §9 note 3: NUL is for OCTET only.
  if (!may_hold_nul && !out.empty() && std::memchr(out.data(), '\0', out.size()) != nullptr) return refuse(errc::bad_string);
  return true;
}

// RFC 3501 §5.1.3, RFC 9051 §5.1: names are modified UTF-7 in IMAP4rev1; UTF-8 is taken in both.
bool scanner::decode_name(std::string_view raw, std::string_view& out) {
  bool ampersand = false, high = false;
  for (const char c : raw) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet == 0x7f) return refuse(errc::bad_mailbox_name);
    ampersand |= c == '&';
    high |= octet >= 0x80;
  }
  if (high && !mail::is_valid_utf8(raw)) return refuse(errc::bad_mailbox_name);
  out = raw;
  if (ampersand && !high && !options_.utf8_names) {
    const auto decoded = mail::decode_modified_utf7(raw);
    if (!decoded) return refuse(errc::bad_mailbox_name);
    for (const char c : *decoded) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return refuse(errc::bad_mailbox_name);
    }
    out = memory_.copy(*decoded);
  }
  return out.size() <= base::limits::imap_mailbox_name || refuse(errc::bad_mailbox_name);
}

bool scanner::mailbox(std::string_view& out) {
  std::string_view raw;
  if (!astring(raw)) return false;
  if (is_word(raw, "INBOX")) {
    out = "INBOX";
    return true;
  }
  return decode_name(raw, out);
}

bool scanner::list_mailbox(std::string_view& out) {
  std::string_view raw;
  if (!(has_class(peek(), in_list) ? run(raw, in_list) : string(raw))) return false;
  if (decode_name(raw, out)) return true;
  if (error_ != errc::bad_mailbox_name) return false;
  // No mailbox has such a name, so that nothing matches (RFC 9051 §6.3.9); it is no error to ask.
  error_ = errc{};
  out = std::string_view("\0", 1);
  return true;
}

bool scanner::number64(std::uint64_t& out, bool may_be_zero) noexcept {
  const auto start = at_;
  std::uint64_t value = 0;
  for (; at_ < text_.size() && has_class(text_[at_], is_digit); ++at_) {
    const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
    if (value > ((std::uint64_t{1} << 63) - 1 - digit) / 10) return refuse(errc::bad_number);
    value = value * 10 + digit;
  }
  if (at_ == start) return refuse(done() ? errc::missing_argument : errc::bad_number);
  if (value == 0 && !may_be_zero) return refuse(errc::bad_number);
  out = value;
  return true;
}

bool scanner::number(std::uint32_t& out, bool may_be_zero) noexcept {
  std::uint64_t value = 0;
  if (!number64(value, may_be_zero)) return false;
  if (value > 0xffffffffu) return refuse(errc::bad_number);
  out = static_cast<std::uint32_t>(value);
  return true;
}

// seq-number = nz-number / "*"
bool scanner::range_end(std::uint32_t& out) noexcept {
  if (accept('*')) {
    out = 0;
    return true;
  }
  // nz-number begins with a digit from 1 to 9.
  if (peek() < '1' || peek() > '9' || !number(out, false)) {
    return refuse_as(done() && text_.back() == ' ' ? errc::missing_argument : errc::bad_set);
  }
  return true;
}

bool scanner::set(number_set& out, bool may_be_saved) {
  if (may_be_saved && accept('$')) {
    out = {.ranges = {}, .saved = true};
    return true;
  }
  arena_list<mail::uid_range> ranges(memory_);
  do {
    if (ranges.size() == base::limits::imap_set_ranges) return refuse(errc::too_many);
    mail::uid_range range;
    if (!range_end(range.first)) return false;
    range.last = range.first;
    if (accept(':') && !range_end(range.last)) return false;
    ranges.push_back(range);
  } while (accept(','));
  out = {.ranges = ranges.view(), .saved = false};
  return true;
}

// flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword; \Recent cannot be given
// (RFC 3501 §2.3.2), and no other flag with a backslash is known.
bool scanner::flag(flag_list& into, arena_list<std::string_view>& keywords) {
  const auto start = at_;
  const bool system = accept('\\');
  std::string_view name;
  if (!run(name, in_atom, errc::bad_flag)) return false;
  if (!system) {
    if (name.size() > 255) return refuse(errc::bad_flag);
    if (keywords.size() == 4 * base::limits::imap_keywords) return refuse(errc::too_many);
    keywords.push_back(name);
    return true;
  }
  const auto bit = mail::system_flag(text_.substr(start, at_ - start));
  if (!bit || *bit == mail::flags::recent) return refuse(errc::bad_flag);
  into.system |= *bit;
  return true;
}

bool scanner::flags_bare(flag_list& out) {
  arena_list<std::string_view> keywords(memory_);
  do {
    if (!flag(out, keywords)) return false;
  } while (more());
  out.keywords = keywords.view();
  return true;
}

bool scanner::flags(flag_list& out) {
  if (!open()) return refuse(done() ? errc::missing_argument : errc::bad_flag);
  if (accept(')')) return true;
  return flags_bare(out) && expect(')', errc::bad_flag);
}

bool scanner::two_digits(unsigned& out) noexcept {
  if (text_.size() - at_ < 2 || !has_class(text_[at_], is_digit) || !has_class(text_[at_ + 1], is_digit)) {
    return refuse(errc::bad_date);
  }
  out = static_cast<unsigned>((text_[at_] - '0') * 10 + text_[at_ + 1] - '0');
  at_ += 2;
  return true;
}

bool scanner::month(unsigned& out) noexcept {
  constexpr std::string_view names = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
  if (text_.size() - at_ < 3) return refuse(errc::bad_date);
  for (unsigned i = 0; i < 12; ++i) {
    if (!is_word(text_.substr(at_, 3), names.substr(3 * i, 3))) continue;
    at_ += 3;
    out = i + 1;
    return true;
  }
  return refuse(errc::bad_date);
}

namespace {

std::optional<std::int64_t> days_of(unsigned year, unsigned month, unsigned day) noexcept {
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok()) return {};
  return std::chrono::sys_days(date).time_since_epoch().count();
}

}  // namespace

// date = date-text / DQUOTE date-text DQUOTE; date-text = 1*2DIGIT "-" date-month "-" 4DIGIT
bool scanner::date(std::int64_t& days) noexcept {
  const bool in_quotes = accept('"');
  unsigned day = 0, m = 0, century = 0, year = 0;
  if (text_.size() - at_ >= 2 && text_[at_ + 1] == '-' && has_class(text_[at_], is_digit)) {
    day = static_cast<unsigned>(text_[at_++] - '0');
  } else if (!two_digits(day)) {
    return false;
  }
  if (!expect('-', errc::bad_date) || !month(m) || !expect('-', errc::bad_date) || !two_digits(century) ||
      !two_digits(year) || (in_quotes && !expect('"', errc::bad_date))) {
    return false;
  }
  const auto found = days_of(century * 100 + year, m, day);
  if (!found) return refuse(errc::bad_date);
  days = *found;
  return true;
}

// date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
bool scanner::date_time(std::int64_t& seconds) noexcept {
  unsigned day = 0, m = 0, century = 0, year = 0, hour = 0, minute = 0, second = 0, zone_hour = 0, zone_minute = 0;
  if (!expect('"', errc::bad_date)) return false;
  if (peek() == ' ' && text_.size() - at_ >= 2 && has_class(text_[at_ + 1], is_digit)) {
    day = static_cast<unsigned>(text_[at_ + 1] - '0');
    at_ += 2;
  } else if (text_.size() - at_ >= 2 && text_[at_ + 1] == '-' && has_class(text_[at_], is_digit)) {
    day = static_cast<unsigned>(text_[at_++] - '0');  // one digit without the space: clients send it
  } else if (!two_digits(day)) {
    return false;
  }
  if (!expect('-', errc::bad_date) || !month(m) || !expect('-', errc::bad_date) || !two_digits(century) ||
      !two_digits(year) || !expect(' ', errc::bad_date) || !two_digits(hour) || !expect(':', errc::bad_date) ||
      !two_digits(minute) || !expect(':', errc::bad_date) || !two_digits(second) || !expect(' ', errc::bad_date)) {
    return false;
  }
  const bool west = peek() == '-';
  if (!west && peek() != '+') return refuse(errc::bad_date);
  ++at_;
  if (!two_digits(zone_hour) || !two_digits(zone_minute) || !expect('"', errc::bad_date)) return false;
  const auto days = days_of(century * 100 + year, m, day);
  if (!days || hour > 23 || minute > 59 || second > 60 || zone_hour > 23 || zone_minute > 59) return refuse(errc::bad_date);
  const auto zone = static_cast<std::int64_t>(zone_hour * 3600 + zone_minute * 60);
  seconds = *days * 86400 + hour * 3600 + minute * 60 + second - (west ? -zone : zone);
  return true;
}

bool scanner::status_items_list(status_items& out) noexcept {
  struct item {
    std::string_view name;
    status_item bit;
  };
  static constexpr item known[] = {
      {"MESSAGES", status_messages},       {"RECENT", status_recent},
      {"UIDNEXT", status_uid_next},        {"UIDVALIDITY", status_uid_validity},
      {"UNSEEN", status_unseen},           {"DELETED", status_deleted},
      {"SIZE", status_size},               {"HIGHESTMODSEQ", status_highest_modseq},
      {"APPENDLIMIT", status_append_limit}, {"MAILBOXID", status_mailbox_id},
      {"DELETED-STORAGE", status_deleted_storage},
  };
  if (!expect('(')) return false;
  do {
    std::string_view name;
    if (!atom(name)) return false;
    status_items found = 0;
    for (const auto& candidate : known) {
      if (is_word(name, candidate.name)) found = candidate.bit;
    }
    if (found == 0) return refuse(errc::bad_option);
    out = static_cast<status_items>(out | found);
  } while (more());
  return expect(')');
}

}  // namespace briefwerk::protocol::imap

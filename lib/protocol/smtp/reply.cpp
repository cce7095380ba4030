#include "briefwerk/protocol/smtp/reply.hpp"

#include <charconv>

#include "briefwerk/base/limits.hpp"

namespace briefwerk::protocol::smtp {
namespace {

using base::errc;
using base::fail;
namespace limits = base::limits;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

void append_number(std::string& out, unsigned value) {
  char digits[10];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

void append_clean(std::string& out, std::string_view text, bool utf8) {
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    const bool printable = (octet >= 0x20 && octet < 0x7f) || octet == '\t' || (utf8 && octet >= 0x80);
    out.push_back(printable ? c : '?');
  }
}

// A number of one to three digits without leading zeros (RFC 3463 §2), or nothing.
std::optional<std::uint16_t> take_number(std::string_view& text) noexcept {
  std::size_t digits = 0;
  std::uint16_t value = 0;
  while (digits < text.size() && digits < 3 && is_digit(text[digits])) {
    value = static_cast<std::uint16_t>(value * 10 + (text[digits] - '0'));
    ++digits;
  }
  if (digits == 0 || (digits > 1 && text[0] == '0')) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

// How much of `text` fits into one line after `prefix` octets: to a space if there is one in the second half.
std::size_t fitting(std::string_view text, std::size_t prefix) noexcept {
  const std::size_t room = limits::smtp_reply_line - 2 - prefix;
  if (text.size() <= room) return text.size();
  const std::size_t space = text.rfind(' ', room - 1);
  return space != std::string_view::npos && space > room / 2 ? space + 1 : room;
}

}  // namespace

std::string enhanced_code::to_string() const {
  std::string out;
  if (category == 0) return out;
  append_number(out, category);
  out.push_back('.');
  append_number(out, subject);
  out.push_back('.');
  append_number(out, detail);
  return out;
}

std::optional<enhanced_code> enhanced_code::parse_prefix(std::string_view text, std::size_t& length) noexcept {
  if (text.size() < 5 || (text[0] != '2' && text[0] != '4' && text[0] != '5') || text[1] != '.') return std::nullopt;
  std::string_view rest = text.substr(2);
  const auto subject = take_number(rest);
  if (!subject || !rest.starts_with('.')) return std::nullopt;
  rest.remove_prefix(1);
  const auto detail = take_number(rest);
  if (!detail || (!rest.empty() && rest[0] != ' ')) return std::nullopt;
  length = text.size() - rest.size();
  return enhanced_code{static_cast<std::uint16_t>(text[0] - '0'), *subject, *detail};
}

std::string reply::to_string() const {
  std::string out;
  append_number(out, static_cast<unsigned>(code));
  if (status) out.append(" ").append(status.to_string());
  out.push_back(' ');
  for (const char c : text.view()) {
    if (c == '\n') out.append(" / ");
    else append_clean(out, std::string_view(&c, 1), true);
  }
  return out;
}

void append_reply(std::string& out, const reply& value, bool utf8) {
  char prefix[24];
  char* end = std::to_chars(prefix, prefix + 3, value.code).ptr;
  char* const separator = end;
  *end++ = '-';
  if (value.status) {
    end = std::to_chars(end, end + 1, value.status.category).ptr;
    *end++ = '.';
    end = std::to_chars(end, end + 5, value.status.subject).ptr;
    *end++ = '.';
    end = std::to_chars(end, end + 5, value.status.detail).ptr;
    *end++ = ' ';
  }
  const auto prefix_size = static_cast<std::size_t>(end - prefix);

  std::string_view rest = value.text.view();
  for (bool more = true; more;) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const std::size_t taken = fitting(line, prefix_size);
    more = taken < rest.size();
    *separator = more ? '-' : ' ';
    out.append(prefix, prefix_size);
    append_clean(out, line.substr(0, taken), utf8);
    out.append("\r\n");
    rest.remove_prefix(taken);
    if (taken == line.size() && more) rest.remove_prefix(1);
  }
}

base::result<std::size_t> reply_parser::feed(std::string_view input) {
  if (failed_) return fail(errc::malformed);
  std::size_t used = 0;
  while (!complete_ && used < input.size()) {
    const std::string_view rest = input.substr(used);
    const std::size_t lf = rest.find('\n');
    const std::string_view part = rest.substr(0, lf);
    line_.append(part.substr(0, limits::smtp_reply_line - std::min(line_.size(), limits::smtp_reply_line)));
    used += part.size();
    if (lf == std::string_view::npos) break;
    ++used;
    if (const auto done = end_of_line(); !done) {
      failed_ = true;
      return fail(done.error());
    }
  }
  return used;
}

// RFC 5321 §4.2: Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
base::status reply_parser::end_of_line() {
  std::string_view line = line_;
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2]))
    return fail(errc::malformed);
  if (line.size() > 3 && line[3] != ' ' && line[3] != '-') return fail(errc::malformed);
  const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  if (lines_ > 0 && code != code_) return fail(errc::malformed);
  if (++lines_ > limits::smtp_reply_lines) return fail(errc::limit_exceeded);
  code_ = code;
  complete_ = line.size() == 3 || line[3] == ' ';
  if (lines_ > 1) text_.push_back('\n');
  if (line.size() > 4) text_.append(line.substr(4));
  line_.clear();
  return {};
}

reply reply_parser::take() { return take(true); }
reply reply_parser::take_raw() { return take(false); }

reply reply_parser::take(bool strip) {
  reply out;
  out.code = code_;
  std::string text = std::exchange(text_, {});
  std::size_t length = 0;
  const auto status = strip ? enhanced_code::parse_prefix(text, length) : std::nullopt;
  if (status && status->category == code_ / 100) {
    out.status = *status;
    std::string stripped;
    for (std::string_view rest = text; !rest.empty();) {
      std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      if (enhanced_code::parse_prefix(line, length)) line.remove_prefix(std::min(line.size(), length + 1));
      if (!stripped.empty()) stripped.push_back('\n');
      stripped.append(line);
    }
    text = std::move(stripped);
  }
  out.text = reply_text(std::move(text));
  lines_ = 0;
  code_ = 0;
  complete_ = false;
  return out;
}

}  // namespace briefwerk::protocol::smtp

#include "briefwerk/base/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <exception>

#include "briefwerk/base/limits.hpp"

namespace briefwerk::base {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

std::string_view name_of(log_level level) noexcept {
  switch (level) {
    case log_level::debug: return "debug";
    case log_level::info: return "info";
    case log_level::warning: return "warning";
    case log_level::error: return "error";
  }
  return "error";
}

void append_padded(std::string& out, long value, int width) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  for (auto size = end - digits; size < width; ++size) out += '0';
  out.append(digits, end);
}

// RFC 3339 §5.6, UTC, milliseconds.
void append_time(std::string& out, wall_time when) {
  const auto day = std::chrono::floor<std::chrono::days>(when);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock_time(when - day);
  append_padded(out, static_cast<int>(date.year()), 4);
  append_padded(out += '-', static_cast<unsigned>(date.month()), 2);
  append_padded(out += '-', static_cast<unsigned>(date.day()), 2);
  append_padded(out += 'T', clock_time.hours().count(), 2);
  append_padded(out += ':', clock_time.minutes().count(), 2);
  append_padded(out += ':', clock_time.seconds().count(), 2);
  append_padded(out += '.', clock_time.subseconds().count(), 3);
  out += 'Z';
}

// The length of the well-formed UTF-8 sequence at the front (RFC 3629 §4), 0 if there is none.
std::size_t utf8_length(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(text[i]); };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((at(i) & 0xc0) != 0x80) return 0;
  const unsigned second = at(1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
  return length;
}

// U+0080 to U+009F: some terminals obey them. U+2028 and U+2029 end a line for some readers.
bool is_hidden(std::string_view sequence) noexcept {
  if (sequence.size() == 2) return sequence[0] == '\xc2' && static_cast<unsigned char>(sequence[1]) < 0xa0;
  return sequence == "\xe2\x80\xa8" || sequence == "\xe2\x80\xa9";
}

void append_hex(std::string& out, std::string_view octets) {
  for (const char c : octets) {
    out += "\\x";
    out += hex_digits[static_cast<unsigned char>(c) >> 4];
    out += hex_digits[static_cast<unsigned char>(c) & 15];
  }
}

void append_escaped_ascii(std::string& out, char c, log_format format) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
    out += c;
  } else if (format == log_format::text) {
    append_hex(out, {&c, 1});
  } else {
    out += "\\u00";
    out += hex_digits[static_cast<unsigned char>(c) >> 4];
    out += hex_digits[static_cast<unsigned char>(c) & 15];
  }
}

bool needs_no_escape(char c) noexcept { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; }

void append_quoted(std::string& out, std::string_view text, log_format format) {
  const bool cut = text.size() > limits::log_value;
  if (cut) text = text.substr(0, limits::log_value);
  out += '"';
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && needs_no_escape(text[plain])) ++plain;
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const std::size_t length = utf8_length(text);
    const std::string_view sequence = text.substr(0, length == 0 ? 1 : length);
    if (length == 1) {
      append_escaped_ascii(out, text[0], format);
    } else if (length == 0 || is_hidden(sequence)) {
      if (format == log_format::text)
        append_hex(out, sequence);
      else
        out += "\xef\xbf\xbd";
    } else {
      out += sequence;
    }
    text.remove_prefix(sequence.size());
  }
  if (cut) out += "...";
  out += '"';
}

bool is_plain(std::string_view text) noexcept {
  if (text.empty() || text.size() > limits::log_value) return false;
  for (const char c : text)
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=') return false;
  return true;
}

void append_value(std::string& out, const log_field& field, log_format format) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    if (format == log_format::text && is_plain(*text))
      out += *text;
    else
      append_quoted(out, *text, format);
  } else if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
    char digits[24];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, *number).ptr);
  } else {
    out += std::get<bool>(field.value) ? "true" : "false";
  }
}

std::string text_line(wall_time when, log_level level, std::string_view event, std::span<const log_field> fields) {
  std::string out;
  out.reserve(256);
  append_time(out, when);
  ((((out += ' ') += name_of(level)) += ' ') += event);
  for (const log_field& field : fields) {
    ((out += ' ') += field.key) += '=';
    append_value(out, field, log_format::text);
  }
  out += '\n';
  return out;
}

std::string json_line(wall_time when, log_level level, std::string_view event, std::span<const log_field> fields) {
  std::string out = "{\"time\":\"";
  out.reserve(256);
  append_time(out, when);
  (out += "\",\"level\":\"") += name_of(level);
  out += "\",\"event\":";
  append_quoted(out, event, log_format::json);
  for (const log_field& field : fields) {
    out += ',';
    append_quoted(out, field.key, log_format::json);
    out += ':';
    append_value(out, field, log_format::json);
  }
  out += "}\n";
  return out;
}

class file_log final : public log_sink {
 public:
  file_log(int fd, std::string path, log_format format, log_level least, const clock& time)
      : fd_(fd), path_(std::move(path)), format_(format), least_(least), time_(time) {}
  ~file_log() override {
    if (has_file()) ::close(fd_);
  }

  bool enabled(log_level level) const noexcept override { return level >= least_; }

  void write(log_level level, std::string_view event, std::span<const log_field> fields) noexcept override {
    try {
      const wall_time now = time_.now();
      put(format_ == log_format::text ? text_line(now, level, event, fields) : json_line(now, level, event, fields));
    } catch (const std::exception&) {
      // No memory for the line: it is lost, the caller goes on.
    }
  }

  status reopen() noexcept override {
    if (!has_file()) return {};
    const int fresh = open_file(path_);
    if (fresh < 0) return fail(std::error_code(errno, std::system_category()));
    // The number stays the same, so that writers need no lock.
    const int replaced = ::dup3(fresh, fd_, O_CLOEXEC);
    const int why = errno;
    ::close(fresh);
    if (replaced < 0) return fail(std::error_code(why, std::system_category()));
    return {};
  }

  static int open_file(const std::string& path) noexcept {
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
  }

 private:
  bool has_file() const noexcept { return path_ != "-"; }

  void put(std::string_view line) noexcept {
    while (!line.empty()) {
      const ssize_t written = ::write(fd_, line.data(), line.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;  // a full disk or a closed pipe must not stop the mail
      line.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  const int fd_;
  const std::string path_;
  const log_format format_;
  const log_level least_;
  const clock& time_;
};

class silent_log final : public log_sink {
 public:
  bool enabled(log_level) const noexcept override { return false; }
  void write(log_level, std::string_view, std::span<const log_field>) noexcept override {}
};

}  // namespace

result<std::unique_ptr<log_sink>> open_log(const std::string& path, log_format format, log_level least,
                                           const clock& time) {
  const int fd = path == "-" ? STDERR_FILENO : file_log::open_file(path);
  if (fd < 0) return fail(std::error_code(errno, std::system_category()));
  return std::make_unique<file_log>(fd, path, format, least, time);
}

log_sink& null_log() noexcept {
  static silent_log instance;
  return instance;
}

}  // namespace briefwerk::base

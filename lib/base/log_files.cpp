#include "briefwerk/base/log_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "briefwerk/base/ip.hpp"

namespace briefwerk::base {
namespace {

namespace fs = std::filesystem;
using day = std::chrono::sys_days;

constexpr std::string_view finished = ".p";  // behind the name of a file without addresses

std::optional<unsigned> number(std::string_view digits) {
  unsigned value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

// "2026-03-01" at the front.
std::optional<day> parse_day(std::string_view text) {
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto y = number(text.substr(0, 4)), m = number(text.substr(5, 2)), d = number(text.substr(8, 2));
  if (!y || !m || !d) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*y)), std::chrono::month(*m), std::chrono::day(*d)};
  if (!date.ok()) return std::nullopt;
  return day(date);
}

std::string format_day(day when) {
  const std::chrono::year_month_day date(when);
  char text[16];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()));
  return text;
}

// The day on which the file begins, by its first line.
std::optional<day> first_day(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  constexpr std::string_view json = "{\"time\":\"";
  return parse_day(std::string_view(line).substr(line.starts_with(json) ? json.size() : 0));
}

status set_aside(const std::string& path, day of, log_sink& log) {
  const std::string name = path + "-" + format_day(of);
  std::string to = name;
  for (int n = 2; fs::exists(to) || fs::exists(to + std::string(finished)); ++n) to = name + "." + std::to_string(n);
  if (::rename(path.c_str(), to.c_str()) != 0) return fail(std::error_code(errno, std::system_category()));
  return log.reopen();
}

bool is_delimiter(char c) { return std::string_view(" \t,;<>()[]{}=\"").find(c) != std::string_view::npos; }

void append_pseudonym(std::string& out, std::string_view address, const siphash_key& key) {
  std::string lower(address);
  std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  std::uint64_t hash = siphash(key, lower).low;
  out += '~';
  for (int i = 0; i < 12; ++i, hash >>= 4) out += "0123456789abcdef"[hash & 15];
}

bool is_address(std::string_view token) {
  if (token.find('@') != token.npos) return token.size() > 1;
  return ip_address::parse(token).has_value() || endpoint::parse(token).has_value();
}

void append_tokens(std::string& out, std::string_view text, const siphash_key& key) {
  while (!text.empty()) {
    const auto end = std::ranges::find_if(text, is_delimiter);
    const std::string_view token = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    if (is_address(token)) append_pseudonym(out, token, key);
    else out += token;
    text.remove_prefix(token.size());
    if (text.empty()) return;
    out += text.front();
    text.remove_prefix(1);
  }
}

status remove_addresses(const std::string& path, const siphash_key& key) {
  const std::string to = path + std::string(finished), unfinished = to + ".new";
  {
    std::ifstream in(path, std::ios::binary);
    const int made = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (made < 0) return fail(std::error_code(errno, std::system_category()));
    ::close(made);
    std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
    for (std::string line; std::getline(in, line);) out << pseudonymise_log_line(line, key) << '\n';
    out.flush();
    if (!out || in.bad()) return fail(errc::no_space);
  }
  std::error_code error;
  fs::rename(unfinished, to, error);
  if (!error) fs::remove(path, error);
  if (error) return fail(error);
  return {};
}

}  // namespace

std::string pseudonymise_log_line(std::string_view line, const siphash_key& key) {
  std::string out;
  while (!line.empty()) {
    const std::size_t quote = std::min(line.find('"'), line.size());
    append_tokens(out, line.substr(0, quote), key);
    line.remove_prefix(quote);
    if (line.empty()) break;
    std::size_t end = 1;
    while (end < line.size() && line[end] != '"') end += line[end] == '\\' ? 2 : 1;
    end = std::min(end, line.size());
    const std::string_view inside = line.substr(1, end - 1);
    out += '"';
    // An address with a quoted local part may hold any delimiter: the value goes as a whole.
    const bool quoted_address = inside.find('\\') != inside.npos && inside.find('@') != inside.npos;
    if (quoted_address) append_pseudonym(out, inside, key);
    else append_tokens(out, inside, key);
    if (end < line.size()) out += '"';
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return out;
}

status tend_log_files(const std::string& path, const log_files_options& options, wall_time now, log_sink& log,
                      const siphash_key& pseudonyms) {
  status outcome;
  const auto note = [&outcome](status done) {
    if (!done && outcome) outcome = std::move(done);
  };
  const day today = std::chrono::floor<std::chrono::days>(now);
  if (options.keep.count() == 0) return outcome;
  std::error_code error;
  // Reading a pipe or a device may never end.
  const auto begun = fs::is_regular_file(path, error) ? first_day(path) : std::nullopt;
  if (begun && *begun < today) note(set_aside(path, *begun, log));

  const fs::path whole(path);
  const std::string prefix = whole.filename().string() + "-";
  fs::directory_iterator all(whole.has_parent_path() ? whole.parent_path() : fs::path("."), error);
  if (error) return fail(error);
  std::vector<fs::path> old;
  for (const auto& one : all) {
    if (one.is_regular_file(error)) old.push_back(one.path());
  }
  for (const fs::path& one : old) {
    const std::string name = one.filename().string();
    if (!name.starts_with(prefix)) continue;
    const auto of = parse_day(std::string_view(name).substr(prefix.size()));
    if (!of) continue;
    if (today - *of >= options.keep) {
      fs::remove(one, error);
      if (error) note(fail(error));
    } else if (options.with_addresses.count() != 0 && today - *of >= options.with_addresses && !name.ends_with(finished)) {
      if (!name.ends_with(".new")) note(remove_addresses(one.string(), pseudonyms));
    }
  }
  return outcome;
}

}  // namespace briefwerk::base

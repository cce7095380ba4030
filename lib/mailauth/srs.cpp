#include "briefwerk/mailauth/srs.hpp"

#include <algorithm>
#include <cstdint>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/mail/header.hpp"

namespace briefwerk::mailauth {
namespace {

constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";  // RFC 4648 §6, in one letter case
constexpr std::size_t hash_characters = 8;                                 // 40 bits, guessed against a server
constexpr std::uint64_t day_cycle = 1024;                                  // two characters

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::uint64_t day_of(std::chrono::sys_seconds when) {
  return static_cast<std::uint64_t>(std::chrono::floor<std::chrono::days>(when).time_since_epoch().count()) % day_cycle;
}

std::string write_day(std::uint64_t day) { return {alphabet[day / 32], alphabet[day % 32]}; }

// day_cycle for what is no day.
std::uint64_t read_day(std::string_view text) {
  if (text.size() != 2) return day_cycle;
  const auto high = alphabet.find(lower(text)[0]), low = alphabet.find(lower(text)[1]);
  return high == std::string_view::npos || low == std::string_view::npos ? day_cycle : high * 32 + low;
}

// "SRS0" or "SRS1" and a separator: '=', and of other programs '+' and '-'.
char kind_of(std::string_view local) noexcept {
  constexpr std::string_view separators = "=+-";
  if (local.size() < 6 || !mail::equals_ignoring_case(local.substr(0, 3), "SRS")) return 0;
  if (separators.find(local[4]) == std::string_view::npos) return 0;
  return local[3] == '0' || local[3] == '1' ? local[3] : '\0';
}

// Takes what stands before the next '='; false where there is none, or nothing before it.
bool take(std::string_view& rest, std::string_view& part) {
  const auto end = rest.find('=');
  if (end == std::string_view::npos || end == 0) return false;
  part = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

bool is_host(std::string_view text) {
  return mail::is_domain(text, mail::utf8::allow) || mail::is_address_literal(text);
}

// Of SRS1: hash, host, and the rest of an SRS0 with the separator it began with.
struct passed_on {
  std::string_view hash, host, opaque;
};
bool split(std::string_view local, passed_on& into) {
  std::string_view rest = local.substr(5);
  if (!take(rest, into.hash) || !take(rest, into.host) || rest.size() < 2) return false;
  into.opaque = rest;
  return is_host(into.host) && kind_of("SRS0" + std::string(rest)) == '0';
}

base::result<mail::mailbox_address> bounded(std::string local, std::string_view domain) {
  if (local.size() > base::limits::address_local_part) return base::fail(base::errc::limit_exceeded);
  return mail::mailbox_address{std::move(local), std::string(domain)};
}

}  // namespace

srs::srs(const base::crypto& crypto, srs_options options) : crypto_(crypto), options_(std::move(options)) {}

std::string srs::hash(const std::string& secret, std::string_view what) const {
  const std::string raw = crypto_.hmac(base::hash_kind::sha256, secret, lower(what));
  std::string text;
  for (std::size_t i = 0; i < hash_characters; ++i) text += alphabet[static_cast<unsigned char>(raw[i]) & 31];
  return text;
}

bool srs::is_ours(std::string_view given, std::string_view what) const {
  const std::string small = lower(given);
  return std::ranges::any_of(options_.secrets, [&](const std::string& secret) {
    return base::equal_in_constant_time(small, hash(secret, what));
  });
}

bool srs::is_rewritten(std::string_view local) noexcept { return kind_of(local) != 0; }

base::result<mail::mailbox_address> srs::forward(const mail::mailbox_address& sender, std::string_view domain,
                                                 std::chrono::sys_seconds now) const {
  const char kind = kind_of(sender.local);
  passed_on before;
  std::string what;
  if (kind == '1' && split(sender.local, before)) {
    what = std::string(before.host) + "=" + std::string(before.opaque);
  } else if (kind == '0') {
    what = sender.domain + "=" + sender.local.substr(4);
  } else {
    what = write_day(day_of(now)) + "=" + mail::domain_to_ascii(sender.domain).value_or(sender.domain) + "=" +
           sender.local;
    return bounded("SRS0=" + hash(options_.secrets.front(), "0" + what) + "=" + what, domain);
  }
  return bounded("SRS1=" + hash(options_.secrets.front(), "1" + what) + "=" + what, domain);
}

base::result<mail::mailbox_address> srs::reverse(const mail::mailbox_address& bounce,
                                                 std::chrono::sys_seconds now) const {
  const std::string_view local = bounce.local;
  const char kind = kind_of(local);
  if (kind == '1') {
    passed_on before;
    if (!split(local, before)) return base::fail(base::errc::malformed);
    const std::string what = std::string(before.host) + "=" + std::string(before.opaque);
    if (!is_ours(before.hash, "1" + what)) return base::fail(base::errc::denied);
    return bounded("SRS0" + std::string(before.opaque), before.host);
  }
  if (kind != '0') return base::fail(base::errc::malformed);
  std::string_view rest = local.substr(5), given, day, host;
  if (!take(rest, given)) return base::fail(base::errc::malformed);
  const std::string_view what = rest;
  const bool whole = take(rest, day) && take(rest, host) && !rest.empty() && is_host(host);
  if (!whole || read_day(day) == day_cycle) return base::fail(base::errc::malformed);
  if (!is_ours(given, "0" + std::string(what))) return base::fail(base::errc::denied);
  const std::uint64_t age = (day_of(now) + day_cycle - read_day(day)) % day_cycle;
  constexpr std::uint64_t tomorrow = day_cycle - 1;  // of a server whose clock is ahead
  if (age > static_cast<std::uint64_t>(options_.valid.count()) && age != tomorrow)
    return base::fail(base::errc::timed_out);
  return bounded(std::string(rest), host);
}

}  // namespace briefwerk::mailauth

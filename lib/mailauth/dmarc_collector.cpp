#include "briefwerk/mailauth/dmarc_collector.hpp"

#include <charconv>
#include <utility>

namespace briefwerk::mailauth::dmarc {
namespace {

using base::errc;
using base::fail;

// "20781/example.org" is the head, "20781/example.org/7" a row: days since 1970, policy domain, number of the row.
std::string head_key(const collector::period& which) {
  return std::to_string(which.day.time_since_epoch().count()) + '/' + which.domain;
}
std::string row_key(const collector::period& which, std::uint32_t number) {
  return head_key(which) + '/' + std::to_string(number);
}

template <class Number>
std::optional<Number> whole_number(std::string_view text) noexcept {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct parsed_key {
  collector::period which;
  std::optional<std::uint32_t> row;
};

std::optional<parsed_key> parse_key(std::string_view key) {
  const auto first = key.find('/');
  if (first == key.npos) return std::nullopt;
  const auto day = whole_number<std::int32_t>(key.substr(0, first));
  auto domain = key.substr(first + 1);
  parsed_key out;
  if (const auto second = domain.find('/'); second != domain.npos) {
    out.row = whole_number<std::uint32_t>(domain.substr(second + 1));
    if (!out.row) return std::nullopt;
    domain = domain.substr(0, second);
  }
  if (!day || domain.empty()) return std::nullopt;
  out.which = {std::chrono::sys_days(std::chrono::days(*day)), std::string(domain)};
  return out;
}

}  // namespace

bool collector::add(std::chrono::sys_seconds when, const observation& seen) {
  const period which{std::chrono::floor<std::chrono::days>(when), seen.published.domain};
  const std::lock_guard lock(mutex_);
  auto at = gathered_.find(which);
  const bool is_new = at == gathered_.end();
  if (is_new && (gathered_.size() >= bounds_.domains || rows_ >= bounds_.rows)) return false;
  if (is_new) at = gathered_.try_emplace(which).first;
  auto& all = at->second;
  const auto head_before = is_new ? std::string() : all.encode_head();
  const auto before = all.size();
  const auto number = all.add(seen, rows_ >= bounds_.rows ? 0 : bounds_.rows_of_one);
  rows_ += all.size() - before;
  if (auto head = all.encode_head(); head != head_before) keep(head_key(which), std::move(head));
  if (number) keep(row_key(which, *number), all.encode_row(*number));
  return number.has_value();
}

base::status collector::restore(std::string_view key, std::string_view value) {
  const auto parsed = parse_key(key);
  if (!parsed) return fail(errc::corrupt);
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] = gathered_.try_emplace(parsed->which);
  auto& all = at->second;
  const auto before = all.size();
  const auto done = parsed->row ? all.restore_row(*parsed->row, value) : all.restore_head(value);
  rows_ += all.size() - before;
  if (!done && is_new) gathered_.erase(at);
  return done;
}

std::vector<collector::period> collector::finished(std::chrono::sys_days today) const {
  const std::lock_guard lock(mutex_);
  std::vector<period> out;
  for (const auto& [which, all] : gathered_)
    if (which.day < today) out.push_back(which);
  return out;
}

std::optional<collection> collector::find(const period& which) const {
  const std::lock_guard lock(mutex_);
  const auto at = gathered_.find(which);
  if (at == gathered_.end()) return std::nullopt;
  return at->second;
}

void collector::forget(const period& which) {
  const std::lock_guard lock(mutex_);
  const auto at = gathered_.find(which);
  if (at == gathered_.end()) return;
  rows_ -= at->second.size();
  if (keep_.erase) {
    for (const auto number : at->second.numbers()) keep_.erase(row_key(which, number));
    keep_.erase(head_key(which));
  }
  gathered_.erase(at);
}

std::size_t collector::rows() const {
  const std::lock_guard lock(mutex_);
  return rows_;
}

}  // namespace briefwerk::mailauth::dmarc

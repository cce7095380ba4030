#include "server/guard/guard_rows.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace briefwerk::server::guard {
namespace {

constexpr std::string_view version = "1";

// Takes the value apart; anything wrong leaves it failed.
class row_reader {
 public:
  explicit row_reader(std::string_view value) : rest_(value) { failed_ = word() != version; }

  std::string_view word() {
    const auto end = std::min(rest_.find(' '), rest_.size());
    const auto taken = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return taken;
  }
  std::int64_t number() {
    const std::string_view text = word();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0) failed_ = true;
    return value;
  }
  float count() { return static_cast<float>(std::min<std::int64_t>(number(), 1'000'000)) / 1000.0F; }
  std::string_view rest() { return std::exchange(rest_, {}); }
  bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

std::int64_t thousandths(float count) { return static_cast<std::int64_t>(count * 1000.0F); }

std::optional<std::uint64_t> read_key(std::string_view text) {
  std::uint64_t key = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), key, 16);
  if (text.size() != 16 || error != std::errc() || end != text.data() + text.size() || key == 0) return std::nullopt;
  return key;
}

std::int64_t milliseconds(base::wall_time time) { return time.time_since_epoch().count(); }

}  // namespace

std::string row_key(const address_entry& entry) { return "a" + entry.network().to_string(); }
std::string row_key(const account_entry& entry) { return fmt::format("u{:016x}", entry.key); }
std::string row_key(const moment_entry& entry) { return fmt::format("k{:016x}", entry.key); }
std::string manual_row_key(const base::ip_network& network) { return "m" + network.to_string(); }

std::string to_row(const address_entry& entry) {
  return fmt::format("{} {} {} {} {} {} {}", version, entry.banned_until, entry.touched, thousandths(entry.failures),
                     entry.bans, entry.service.view(), entry.login.view());
}
std::string to_row(const account_entry& entry) {
  return fmt::format("{} {} {} {}", version, entry.touched, thousandths(entry.failures), entry.login.view());
}
std::string to_row(const moment_entry& entry) { return fmt::format("{} {}", version, entry.seen); }
std::string to_row(const ban_info& manual) {
  return fmt::format("{} {} {} {}", version, manual.since ? milliseconds(*manual.since) : 0,
                     manual.until ? milliseconds(*manual.until) : 0, manual.reason);
}

std::optional<address_entry> read_address(std::string_view key, std::string_view value) {
  const auto network = base::ip_network::parse(key.substr(1));
  row_reader row(value);
  address_entry entry{};
  entry.banned_until = row.number();
  entry.touched = row.number();
  entry.failures = row.count();
  entry.bans = static_cast<std::uint16_t>(std::min<std::int64_t>(row.number(), 1000));
  entry.service.set(row.word());
  entry.login.set(row.rest());
  if (!network || row.failed()) return std::nullopt;
  const int size = network->prefix;
  if (network->address.is_v4() ? size != 32 : size != 64 && size != 48) return std::nullopt;
  entry.set_network(*network);
  return entry;
}

std::optional<account_entry> read_account(std::string_view key, std::string_view value) {
  const auto number = read_key(key.substr(1));
  row_reader row(value);
  account_entry entry{};
  entry.touched = row.number();
  entry.failures = row.count();
  entry.login.set(row.rest());
  if (!number || row.failed()) return std::nullopt;
  entry.key = *number;
  return entry;
}

std::optional<moment_entry> read_moment(std::string_view key, std::string_view value) {
  const auto number = read_key(key.substr(1));
  row_reader row(value);
  moment_entry entry{};
  entry.seen = row.number();
  if (!number || row.failed()) return std::nullopt;
  entry.key = *number;
  return entry;
}

std::optional<ban_info> read_manual(std::string_view key, std::string_view value) {
  const auto network = base::ip_network::parse(key.substr(1));
  row_reader row(value);
  ban_info ban;
  ban.manual = true;
  ban.since = base::wall_time(std::chrono::milliseconds(row.number()));
  if (const auto until = row.number(); until != 0) ban.until = base::wall_time(std::chrono::milliseconds(until));
  ban.reason = row.rest();
  if (!network || row.failed()) return std::nullopt;
  ban.network = *network;
  return ban;
}

}  // namespace briefwerk::server::guard

// What administrators see and do.

#include <fmt/format.h>

#include <algorithm>

#include "briefwerk/base/limits.hpp"
#include "server/guard/guard_impl.hpp"
#include "server/guard/guard_rows.hpp"

namespace briefwerk::server {

using namespace guard;

namespace {

base::wall_time time_of(std::int64_t milliseconds) { return base::wall_time(std::chrono::milliseconds(milliseconds)); }

bool is_single(const base::ip_network& network) { return network.prefix == (network.address.is_v4() ? 32 : 128); }

std::string reason_of(const address_entry& entry) {
  const std::string last = entry.login.size == 0 ? std::string() : fmt::format(", the last as {}", entry.login.view());
  if (!entry.v4 && entry.prefix == 48) return "failed logins from many networks" + last;
  return "failed logins" + last;
}

ban_info info_of(const address_entry& entry) {
  return {.network = entry.network(),
          .until = time_of(entry.banned_until),
          .reason = reason_of(entry),
          .repetitions = entry.bans};
}

bool ends_sooner(const ban_info& a, const ban_info& b) {
  if (a.until.has_value() != b.until.has_value()) return a.until.has_value();
  if (a.until && *a.until != *b.until) return *a.until < *b.until;
  return a.network < b.network;
}

}  // namespace

namespace guard {

std::string duration_text(std::chrono::seconds duration) {
  struct {
    std::int64_t seconds;
    const char* name;
  } const units[] = {{86400, "days"}, {3600, "hours"}, {60, "minutes"}, {1, "seconds"}};
  const std::int64_t count = std::max<std::int64_t>(1, duration.count());
  for (const auto& unit : units) {
    if (count >= 2 * unit.seconds) return fmt::format("{} {}", (count + unit.seconds - 1) / unit.seconds, unit.name);
  }
  return "1 second";
}

}  // namespace guard

std::optional<ban_info> login_guard::impl::automatic_ban(const base::ip_network& network, std::int64_t at) const {
  std::optional<ban_info> ban;
  addresses.find(address_key(network), [&](const address_entry& entry) {
    if (entry.is_banned(at)) ban = info_of(entry);
  });
  return ban;
}

base::status login_guard::add(const base::ip_network& network, std::optional<std::chrono::seconds> duration,
                              std::string reason) {
  impl& all = *impl_;
  for (const base::ip_network& one : all.options.allow) {
    if (covers(one, network)) return base::fail(base::errc::denied);
  }
  ban_info ban{.network = network, .manual = true, .since = all.time.now()};
  if (duration) ban.until = *ban.since + *duration;
  reason.resize(std::min(reason.size(), base::limits::guard_reason));
  std::ranges::replace_if(reason, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  ban.reason = std::move(reason);
  if (!all.manual.put(ban)) return base::fail(base::errc::limit_exceeded);
  if (all.state) all.state->put(manual_row_key(network), to_row(ban));
  ++all.revision;
  all.options.log->log(
      base::log_level::warning, "guard.ban_added",
      {{"network", network.to_string()}, {"seconds", duration ? duration->count() : 0}, {"reason", ban.reason}});
  return {};
}

base::result<std::size_t> login_guard::remove(const base::ip_network& network) {
  impl& all = *impl_;
  const std::int64_t at = all.now();
  std::size_t bans = 0, known = 0;
  if (all.manual.erase(network)) {
    ++bans;
    ++known;
    if (all.state) all.state->erase(manual_row_key(network));
  }
  all.addresses.for_each([&](const address_entry& entry) {
    const base::ip_network one = entry.network();
    if (!covers(network, one) && !(is_single(network) && one.contains(network.address))) return true;
    ++known;
    if (entry.is_banned(at)) {
      ++bans;
      if (all.counted.banned) all.counted.banned->subtract();
    }
    if (all.state) all.state->erase(row_key(entry));
    return false;
  });
  if (known == 0) return base::fail(base::errc::not_found);
  ++all.revision;
  all.options.log->log(base::log_level::info, "guard.ban_removed", {{"network", network.to_string()}, {"bans", bans}});
  return bans;
}

login_guard::ban_list login_guard::list(std::size_t most) const {
  const std::int64_t at = impl_->now();
  ban_list out;
  for (ban_info& ban : impl_->manual.all()) {
    if (!ban.until || *ban.until > impl_->time.now()) out.bans.push_back(std::move(ban));
  }
  impl_->addresses.for_each([&](const address_entry& entry) {
    if (entry.is_banned(at)) out.bans.push_back(info_of(entry));
    return true;
  });
  out.total = out.bans.size();
  const auto end = out.bans.begin() + static_cast<std::ptrdiff_t>(std::min(most, out.bans.size()));
  std::ranges::partial_sort(out.bans, end, ends_sooner);
  out.bans.erase(end, out.bans.end());
  return out;
}

address_report login_guard::explain(const base::ip_address& peer) const {
  const impl& all = *impl_;
  const std::int64_t at = all.now();
  address_report out;
  out.address = peer;
  out.counted_as = counted_network(peer);
  out.limit = all.options.address_failures;
  out.network_limit = all.options.network_failures;
  if (const auto* network = all.allowed_by(peer)) {
    out.allowed_by = *network;
    out.rules.push_back(fmt::format("{} is in the allow list: never counted, never banned", network->to_string()));
  }
  for (ban_info& ban : all.manual.all()) {
    if (!ban.network.contains(peer) || (ban.until && *ban.until <= all.time.now())) continue;
    out.rules.push_back(fmt::format("an administrator banned {}", ban.network.to_string()));
    out.bans.push_back(std::move(ban));
  }
  all.addresses.find(all.address_key(out.counted_as), [&](const address_entry& entry) {
    out.failures = static_cast<double>(all.failures_of(entry, at));
    out.bans_lately = entry.bans;
    out.last_login = entry.login.view();
    out.last_service = entry.service.view();
    if (entry.is_banned(at)) out.bans.push_back(info_of(entry));
  });
  const auto forgiving = all.address_forgiving(out.limit);
  out.forgiven_in =
      std::chrono::seconds(static_cast<std::int64_t>(out.failures * static_cast<double>(forgiving) / 1000.0));
  if (!peer.is_v4()) {
    all.addresses.find(all.address_key(network_of(peer, 48)), [&](const address_entry& entry) {
      out.failing_networks = static_cast<double>(all.failures_of(entry, at));
      if (entry.is_banned(at)) out.bans.push_back(info_of(entry));
    });
  }
  const std::string window = duration_text(all.options.window);
  out.rules.push_back(fmt::format("{} failed logins within {} ban {}, for {} at first and {} at most", out.limit,
                                  window, out.counted_as.to_string(), duration_text(all.options.first_ban),
                                  duration_text(all.options.longest_ban)));
  if (!peer.is_v4()) {
    out.rules.push_back(fmt::format("{} failing networks /64 within {} ban {}", out.network_limit, window,
                                    network_of(peer, 48).to_string()));
  }
  return out;
}

std::vector<login_guard::slowed_account> login_guard::slowed_accounts(std::size_t most) const {
  const impl& all = *impl_;
  const std::int64_t at = all.now();
  std::vector<slowed_account> out;
  all.accounts.for_each([&](const account_entry& entry) {
    const float failures = leaked(entry.failures, entry.touched, at, all.account_forgiving());
    const auto delay = all.delay_of(failures);
    if (delay.count() != 0) out.push_back({std::string(entry.login.view()), static_cast<double>(failures), delay});
    return true;
  });
  std::ranges::sort(out, [](const auto& a, const auto& b) { return a.failures > b.failures; });
  if (out.size() > most) out.resize(most);
  return out;
}

}  // namespace briefwerk::server

#include <fmt/chrono.h>

#include <algorithm>

#include "apps/admin/commands.hpp"
#include "briefwerk/server/ban_export.hpp"
#include "briefwerk/server/login_guard.hpp"

namespace briefwerk::apps::commands {
namespace {

constexpr std::size_t bans_of_an_answer = 10000;

server::login_guard& guard_of(const context& with) {
  if (with.guard == nullptr) throw refusal("the login guard is switched off (login_guard.enabled)");
  return *with.guard;
}

base::ip_network network(const json& request) {
  const std::string given = text(request, "network");
  auto parsed = base::ip_network::parse(given);
  if (!parsed) throw refusal(given + " is neither an address nor a network like 192.0.2.0/24 or 2001:db8::/48");
  return *parsed;
}

// A single address without its prefix.
std::string to_text(const base::ip_network& network) {
  const bool single = network.prefix == (network.address.is_v4() ? 32 : 128);
  return single ? network.address.to_string() : network.to_string();
}

json to_text(const std::optional<base::wall_time>& time) {
  if (!time) return nullptr;
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::floor<std::chrono::seconds>(*time));
}

json describe(const server::ban_info& ban) {
  return {{"network", to_text(ban.network)}, {"kind", ban.manual ? "manual" : "automatic"},
          {"until", to_text(ban.until)},     {"since", to_text(ban.since)},
          {"bans", ban.repetitions},         {"reason", ban.reason}};
}

json describe(const std::vector<server::ban_info>& bans) {
  json rows = json::array();
  for (const auto& ban : bans) rows.push_back(describe(ban));
  return rows;
}

}  // namespace

base::task<json> ban_list(const context& with, const json& request) {
  const auto& guard = guard_of(with);
  const auto most = std::min<std::uint64_t>(number_or(request, "most", bans_of_an_answer), bans_of_an_answer);
  const auto all = guard.list(most);
  json slowed = json::array();
  for (const auto& one : guard.slowed_accounts(100)) {
    slowed.push_back({{"login", one.login}, {"delay_ms", one.delay.count()}});
  }
  co_return json{{"bans", describe(all.bans)}, {"total", all.total}, {"slowed", std::move(slowed)}};
}

base::task<json> ban_add(const context& with, const json& request) {
  auto& guard = guard_of(with);
  const base::ip_network what = network(request);
  std::optional<std::chrono::seconds> duration;
  if (const auto seconds = number_or(request, "seconds", 0); seconds != 0) {
    duration = std::chrono::seconds(std::min<std::uint64_t>(seconds, 100ull * 365 * 86400));
  }
  const auto done = guard.add(what, duration, text_or(request, "reason", ""));
  if (!done && done.error() == base::errc::denied) {
    throw refusal(to_text(what) + " is on the allow list (login_guard.allow), which is always obeyed");
  }
  check(done, to_text(what));
  co_return json{{"network", to_text(what)}};
}

base::task<json> ban_remove(const context& with, const json& request) {
  auto& guard = guard_of(with);
  const base::ip_network what = network(request);
  const auto done = guard.remove(what);
  const auto left = guard.find_ban(what.address);
  if (!done) {
    if (left) throw refusal(to_text(what) + " is banned with " + to_text(left->network) + ": remove that");
    throw refusal("nothing is known of " + to_text(what));
  }
  json answer = {{"network", to_text(what)}, {"removed", *done}};
  if (left) answer["still_banned_by"] = to_text(left->network);
  co_return answer;
}

base::task<json> ban_explain(const context& with, const json& request) {
  const auto& guard = guard_of(with);
  const std::string given = text(request, "address");
  const auto address = base::ip_address::parse(given);
  if (!address) throw refusal(given + " is not an address");
  const auto all = guard.explain(*address);
  json answer = {{"address", address->to_string()},
                 {"banned", guard.find_ban(*address).has_value()},
                 {"allowed_by", all.allowed_by ? json(to_text(*all.allowed_by)) : json(nullptr)},
                 {"bans", describe(all.bans)},
                 {"counted_as", to_text(all.counted_as)},
                 {"failures", all.failures},
                 {"failures_limit", all.limit},
                 {"forgiven_in_seconds", all.forgiven_in.count()},
                 {"bans_lately", all.bans_lately},
                 {"last_login", all.last_login},
                 {"last_service", all.last_service}};
  if (address->is_v6()) {
    answer["failing_networks"] = all.failing_networks;
    answer["failing_networks_limit"] = all.network_limit;
  }
  answer["rules"] = all.rules;
  co_return answer;
}

base::task<json> ban_export(const context& with, const json&) {
  const auto all = guard_of(with).list(static_cast<std::size_t>(-1));
  co_return json{{"bans", all.total}, {"nft", server::nft_ruleset(all.bans, with.nft, base::system_clock().now())}};
}

}  // namespace briefwerk::apps::commands

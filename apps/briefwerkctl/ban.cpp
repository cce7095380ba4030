#include "apps/briefwerkctl/ban.hpp"

#include <charconv>
#include <cstdio>

#include "apps/briefwerkctl/output.hpp"

namespace briefwerk::apps::ctl {
namespace {

std::uint64_t seconds_of(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 3600;
    case 'd':
      return 86400;
    case 'w':
      return 7 * 86400;
    default:
      return 0;
  }
}

std::string text_of(const json& value) {
  if (value.is_null()) return "it is removed";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

std::uint64_t parse_duration(const std::string& text) {
  constexpr std::uint64_t most = 100ull * 365 * 86400;
  std::uint64_t total = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    std::uint64_t count = 0;
    const auto [next, error] = std::from_chars(at, end, count);
    const bool bare = next == end && at == text.data();  // seconds
    const std::uint64_t unit = bare ? 1 : next == end ? 0 : seconds_of(*next);
    if (error != std::errc() || unit == 0 || count > most / unit) {
      throw failure(text + " is not a duration like 30s, 10m, 2h, 7d or 1d12h");
    }
    total += count * unit;
    at = bare ? next : next + 1;
  }
  if (total == 0 || total > most) throw failure(text + " is not a duration like 30s, 10m, 2h, 7d or 1d12h");
  return total;
}

void print_bans(const json& answer) {
  json rows = answer.at("bans");
  for (auto& row : rows) row["until"] = text_of(row.at("until"));
  print_table(rows, {"network", "kind", "until", "bans", "reason"});
  if (rows.size() < answer.at("total").get<std::size_t>())
    std::printf("… and more: %s in all\n", answer["total"].dump().c_str());
  for (const auto& one : answer.at("slowed")) {
    std::printf("failing answers for %s are held back %s ms\n", one.at("login").get<std::string>().c_str(),
                one.at("delay_ms").dump().c_str());
  }
}

void print_explanation(const json& answer) {
  std::printf("%s is %s\n", answer.at("address").get<std::string>().c_str(),
              answer.at("banned").get<bool>()     ? "banned"
              : answer.at("allowed_by").is_null() ? "not banned"
                                                  : "on the allow list");
  for (const auto& ban : answer.at("bans")) {
    const std::string reason = ban.at("reason").get<std::string>();
    std::printf("%s ban of %s until %s%s%s\n", ban.at("kind").get<std::string>().c_str(),
                ban.at("network").get<std::string>().c_str(), text_of(ban.at("until")).c_str(),
                reason.empty() ? "" : ": ", reason.c_str());
  }
  std::printf("%s: %.1f of %s failures, forgiven in %s s; %s bans lately\n",
              answer.at("counted_as").get<std::string>().c_str(), answer.at("failures").get<double>(),
              answer.at("failures_limit").dump().c_str(), answer.at("forgiven_in_seconds").dump().c_str(),
              answer.at("bans_lately").dump().c_str());
  if (answer.contains("failing_networks")) {
    std::printf("its /48: %.1f of %s failing networks\n", answer["failing_networks"].get<double>(),
                answer.at("failing_networks_limit").dump().c_str());
  }
  if (const auto login = answer.at("last_login").get<std::string>(); !login.empty()) {
    std::printf("last failure: as %s by %s\n", login.c_str(), answer.at("last_service").get<std::string>().c_str());
  }
  for (const auto& rule : answer.at("rules")) std::printf("rule: %s\n", rule.get<std::string>().c_str());
}

void print_text(const std::string& text) { std::fputs(text.c_str(), stdout); }

}  // namespace briefwerk::apps::ctl

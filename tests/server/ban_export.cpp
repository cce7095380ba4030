#include "briefwerk/server/ban_export.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace briefwerk;
using namespace std::chrono_literals;

namespace {

const base::wall_time now{std::chrono::milliseconds(1'700'000'000'000)};

base::ip_network network(std::string_view text) { return base::ip_network::parse(text).value(); }

server::ban_info ban(std::string_view network, std::optional<std::chrono::milliseconds> left = std::nullopt) {
  server::ban_info out{.network = base::ip_network::parse(network).value()};
  if (left) out.until = now + *left;
  return out;
}

// The elements of a set: network, and its time-out ("": none).
std::map<std::string, std::string> elements(const std::string& text, const std::string& set) {
  std::map<std::string, std::string> out;
  const auto begin = text.find("\tset " + set + " {");
  REQUIRE(begin != text.npos);
  const std::string body = text.substr(begin, text.find("\t}", begin) - begin);
  auto at = body.find("elements = { ");
  if (at == body.npos) return out;
  at += 13;
  const std::string list = body.substr(at, body.find(" }", at) - at);
  for (std::size_t from = 0; from < list.size();) {
    const auto end = std::min(list.find(',', from), list.size());
    std::string one = list.substr(from, end - from);
    one.erase(0, one.find_first_not_of("\n\t "));
    const auto space = one.find(" timeout ");
    out.emplace(one.substr(0, space), space == one.npos ? "" : one.substr(space + 9));
    from = end + 1;
  }
  return out;
}

std::map<std::string, std::string> exported(const std::vector<server::ban_info>& bans,
                                            const std::string& set = "banned4") {
  return elements(server::nft_ruleset(bans, {}, now), set);
}

}  // namespace

TEST_CASE("nft: bans with their time, by family; what has ended is left out") {
  const std::vector<server::ban_info> bans = {ban("192.0.2.1", 1500ms), ban("198.51.100.0/24"), ban("203.0.113.1", 0ms),
                                              ban("2001:db8::/64", 10min)};
  CHECK(exported(bans) == std::map<std::string, std::string>{{"192.0.2.1/32", "2s"}, {"198.51.100.0/24", ""}});
  CHECK(exported(bans, "banned6") == std::map<std::string, std::string>{{"2001:db8::/64", "600s"}});
  CHECK(exported({}).empty());
}

TEST_CASE("nft: overlapping bans become intervals that do not overlap") {
  struct {
    const char* why;
    std::vector<server::ban_info> bans;
    std::map<std::string, std::string> expected;
  } const rows[] = {
      {"what a longer ban covers is left out",
       {ban("192.0.2.0/24", 1h), ban("192.0.2.7", 10min)},
       {{"192.0.2.0/24", "3600s"}}},
      {"as long: too", {ban("192.0.2.0/24"), ban("192.0.2.7")}, {{"192.0.2.0/24", ""}}},
      {"round a longer one its network is cut in halves",
       {ban("192.0.2.0/30", 10min), ban("192.0.2.2")},
       {{"192.0.2.0/31", "600s"}, {"192.0.2.2/32", ""}, {"192.0.2.3/32", "600s"}}},
      {"nested twice",
       {ban("192.0.2.0/29", 10min), ban("192.0.2.4/30", 20min), ban("192.0.2.4/31", 5min), ban("192.0.2.6", 30min)},
       {{"192.0.2.0/30", "600s"}, {"192.0.2.4/31", "1200s"}, {"192.0.2.6/32", "1800s"}, {"192.0.2.7/32", "1200s"}}},
      {"the same network twice: the longer",
       {ban("192.0.2.0/24", 1h), ban("192.0.2.0/24", 2h)},
       {{"192.0.2.0/24", "7200s"}}},
      {"everything", {ban("0.0.0.0/0", 10min), ban("128.0.0.0/1", 5min)}, {{"0.0.0.0/0", "600s"}}},
      {"neighbours stay apart",
       {ban("192.0.2.0/31", 10min), ban("192.0.2.2/31", 20min)},
       {{"192.0.2.0/31", "600s"}, {"192.0.2.2/31", "1200s"}}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    CHECK(exported(row.bans) == row.expected);
  }
}

TEST_CASE("nft: a whole table, in one transaction") {
  const std::string text = server::nft_ruleset(
      {ban("192.0.2.1")}, {.ports = {993, 143, 993}, .allow = {network("192.0.2.0/28"), network("192.0.2.8")}}, now);
  CHECK(text.starts_with("add table inet briefwerk\ndelete table inet briefwerk\ntable inet briefwerk {\n"));
  CHECK(elements(text, "allowed4") == std::map<std::string, std::string>{{"192.0.2.0/28", ""}});
  CHECK(text.contains("\t\tip saddr @allowed4 accept\n\t\tip saddr @banned4 tcp dport { 143, 993 } counter drop\n"));
  CHECK(text.contains("\t\tip6 saddr @banned6 tcp dport { 143, 993 } counter drop\n"));
}

#include <chrono>
#include <cstdio>
#include "apps/admin/commands.hpp"

namespace briefwerk::apps::commands {
namespace {

std::string day(std::int64_t seconds) {
  if (seconds == 0) return {};
  const std::chrono::year_month_day date(
      std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(seconds))));
  char text[16];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()));
  return text;
}

// Never the private key.
json describe(const store::signing_key& key) {
  return {{"domain", key.domain},
          {"selector", key.selector},
          {"kind", key.kind == base::key_kind::rsa ? "rsa" : "ed25519"},
          {"state", to_string(key.state)},
          {"since", day(key.changed)},
          {"until", day(key.ends)},
          {"name", delivery::key_record_name(key)},
          {"record", delivery::key_record_text(key)}};
}

json describe(const std::vector<delivery::key_check>& checked) {
  json rows = json::array();
  for (const auto& one : checked) {
    json row = describe(one.key);
    row["dns"] = to_string(one.in_dns);
    row["found"] = one.found;
    rows.push_back(std::move(row));
  }
  return json{{"keys", std::move(rows)}};
}

void refuse_foreign(bool is_local, const std::string& domain) {
  if (!is_local) throw refusal("the domain " + domain + " is not served here: add it first");
}

}  // namespace

base::task<json> dkim_list(const context& with, const json& request) {
  auto got = co_await with.keys.list(text_or(request, "domain", ""));
  json rows = json::array();
  for (const auto& key : take(std::move(got), "keys")) rows.push_back(describe(key));
  co_return json{{"keys", std::move(rows)}};
}

base::task<json> dkim_generate(const context& with, const json& request) {
  const std::string domain = text(request, "domain"), kind = text_or(request, "kind", "both");
  if (kind != "both" && kind != "rsa" && kind != "ed25519") throw refusal("kind must be rsa, ed25519 or both");
  auto local = co_await with.store.directory().is_local_domain(domain);
  refuse_foreign(take(std::move(local), domain), domain);
  std::vector<base::key_kind> kinds;
  if (kind != "ed25519") kinds.push_back(base::key_kind::rsa);
  if (kind != "rsa") kinds.push_back(base::key_kind::ed25519);
  auto made = co_await with.keys.generate(domain, std::move(kinds), text_or(request, "selector", ""));
  json rows = json::array();
  for (const auto& key : take(std::move(made), domain)) rows.push_back(describe(key));
  co_return json{{"keys", std::move(rows)}};
}

base::task<json> dkim_check(const context& with, const json& request) {
  auto seen = co_await with.keys.check(text(request, "domain"));
  co_return describe(take(std::move(seen), "keys"));
}

base::task<json> dkim_activate(const context& with, const json& request) {
  const std::string domain = text(request, "domain");
  const bool force = request.value("force", false);
  auto seen = co_await with.keys.activate(domain, text_or(request, "selector", ""), force);
  if (!seen && seen.error() == base::errc::not_found) throw refusal(domain + " has no such pending key");
  co_return describe(take(std::move(seen), domain));
}

base::task<json> dkim_rotate(const context& with, const json& request) {
  const std::string domain = text(request, "domain");
  auto local = co_await with.store.directory().is_local_domain(domain);
  refuse_foreign(take(std::move(local), domain), domain);
  auto seen = co_await with.keys.rotate(domain);
  co_return describe(take(std::move(seen), domain));
}

base::task<json> dkim_retire(const context& with, const json& request) {
  const std::string domain = text(request, "domain"), selector = text(request, "selector");
  const bool now = request.value("now", false);
  auto changed = co_await with.keys.retire(domain, selector, now);
  if (!changed && changed.error() == base::errc::not_found)
    throw refusal(domain + " has no key " + selector + " that is not retired");
  co_return json{{"keys", json::array({describe(take(std::move(changed), selector))})}};
}

}  // namespace briefwerk::apps::commands

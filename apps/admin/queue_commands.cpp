#include <fmt/chrono.h>

#include <algorithm>
#include <chrono>

#include "apps/admin/commands.hpp"

namespace briefwerk::apps::commands {
namespace {

constexpr std::uint64_t items_of_an_answer = 1000;

std::string state_name(store::recipient_state state) {
  switch (state) {
    case store::recipient_state::waiting: return "waiting";
    case store::recipient_state::delivered: return "delivered";
    case store::recipient_state::failed: return "failed";
  }
  return "waiting";
}

json describe(const store::queue_item& item) {
  json recipients = json::array();
  for (const auto& who : item.recipients) {
    recipients.push_back({{"address", who.address},
                          {"state", state_name(who.state)},
                          {"last_host", who.last_host},
                          {"last_reply", who.last_reply}});
  }
  return {{"id", item.id},           {"sender", item.sender},     {"arrived", item.arrived},
          {"attempts", item.attempts}, {"next_attempt", item.next_attempt}, {"size", item.size},
          {"recipients", std::move(recipients)}};
}

// Not by update(): between the read and the write here, the item may be sent to some of its recipients.
base::task<void> make_due(const context& with, std::string id) {
  const auto now = std::chrono::floor<std::chrono::seconds>(base::system_clock().now()).time_since_epoch().count();
  const auto done = co_await with.store.queue().reschedule(id, now);
  // An item that left the queue meanwhile needs no retry.
  if (!done && done.error() != base::errc::not_found) check(done, id);
}

}  // namespace

base::task<json> queue_list(const context& with, const json& request) {
  const auto most = std::min<std::uint64_t>(number_or(request, "most", items_of_an_answer), items_of_an_answer);
  std::string after = text_or(request, "after", "");
  json rows = json::array();
  for (bool more = true; more && rows.size() < most;) {
    auto got = co_await with.store.queue().list(after, most - rows.size());
    const auto items = take(std::move(got), "queue");
    more = !items.empty();
    for (const auto& item : items) {
      after = item.id;
      if (item.held.empty()) rows.push_back(describe(item));  // the others: quarantine.list
    }
  }
  co_return json{{"items", std::move(rows)}};
}

base::task<json> queue_show(const context& with, const json& request) {
  const std::string id = text(request, "id");
  auto got = co_await with.store.queue().find(id);
  co_return json{{"item", describe(take(std::move(got), id))}};
}

base::task<json> queue_retry(const context& with, const json& request) {
  std::uint64_t count = 0;
  if (request.contains("id")) {
    const std::string id = text(request, "id");
    auto got = co_await with.store.queue().find(id);
    (void)take(std::move(got), id);
    co_await make_due(with, id);
    count = 1;
  } else {
    std::string after;
    for (;;) {
      auto got = co_await with.store.queue().list(after, 1000);
      auto items = take(std::move(got), "queue");
      if (items.empty()) break;
      after = items.back().id;
      for (auto& item : items) {
        if (!item.held.empty()) continue;
        co_await make_due(with, item.id);
        ++count;
      }
    }
  }
  with.queue_changed();
  co_return json{{"items", count}};
}

base::task<json> queue_delete(const context& with, const json& request) {
  const std::string id = text(request, "id");
  const auto done = co_await with.store.queue().remove(id);
  check(done, id);
  co_return json{{"id", id}};
}

base::task<json> status(const context& with, const json&) {
  json counters = json::object(), latencies = json::object();
  if (with.metrics) {
    for (const auto& one : with.metrics->read()) {
      if (one.is_histogram) {
        latencies[one.name] = {{"count", one.value}, {"p50_us", one.p50.count()}, {"p99_us", one.p99.count()}, {"max_us", one.max.count()}};
      } else {
        counters[one.name] = one.value;
      }
    }
  }
  json certificates = json::array();
  if (with.tls) {
    for (const auto& one : with.tls->certificates()) {
      certificates.push_back({{"file", one.file}, {"names", one.names}, {"ends", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", one.not_after)}});
    }
  }
  auto queued = co_await with.store.queue().size();
  auto accounts = co_await with.store.directory().accounts();
  auto domains = co_await with.store.directory().domains();
  co_return json{{"running", with.metrics != nullptr},
                 {"queue", take(std::move(queued), "queue")},
                 {"accounts", take(std::move(accounts), "accounts").size()},
                 {"domains", take(std::move(domains), "domains").size()},
                 {"certificates", std::move(certificates)},
                 {"counters", std::move(counters)},
                 {"latencies", std::move(latencies)}};
}

}  // namespace briefwerk::apps::commands

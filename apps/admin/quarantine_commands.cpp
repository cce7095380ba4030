#include <chrono>

#include "apps/admin/commands.hpp"
#include "briefwerk/base/encoding.hpp"

namespace briefwerk::apps::commands {
namespace {

constexpr std::size_t items_of_an_answer = 1000;
constexpr std::size_t shown_octets = 1u << 20;

json describe(const store::queue_item& item) {
  json to = json::array();
  for (const auto& one : item.recipients) to.push_back(one.address);
  return {{"id", item.id},     {"arrived", item.arrived}, {"sender", item.sender}, {"recipients", std::move(to)},
          {"size", item.size}, {"reason", item.held},     {"account", item.account}};
}

base::task<store::queue_item> held_item(const context& with, std::string id) {
  auto got = co_await with.store.queue().find(id);
  store::queue_item item = take(std::move(got), id);
  if (item.held.empty()) throw refusal(id + " is not in quarantine");
  co_return item;
}

}  // namespace

base::task<json> quarantine_list(const context& with, const json& request) {
  std::string after = text_or(request, "after", "");
  json rows = json::array();
  for (bool more = true; more && rows.size() < items_of_an_answer;) {
    auto got = co_await with.store.queue().list(after, items_of_an_answer);
    const auto items = take(std::move(got), "queue");
    more = items.size() == items_of_an_answer;
    for (const auto& one : items) {
      after = one.id;
      if (!one.held.empty() && rows.size() < items_of_an_answer) rows.push_back(describe(one));
      if (rows.size() == items_of_an_answer) break;
    }
  }
  co_return json{{"items", std::move(rows)}, {"after", after}};
}

base::task<json> quarantine_show(const context& with, const json& request) {
  const std::string id = text(request, "id");
  const store::queue_item item = co_await held_item(with, id);
  auto got = co_await with.store.queue().read(item.message);
  const auto octets = take(std::move(got), id);
  json answer = describe(item);
  answer["octets"] = base::base64_encode(octets.view().substr(0, shown_octets));
  co_return json{{"item", std::move(answer)}};
}

base::task<json> quarantine_release(const context& with, const json& request) {
  const std::string id = text(request, "id");
  store::queue_item item = co_await held_item(with, id);
  item.held.clear();
  // Its time in the queue begins now: what was held for long does not come back to the sender as too old.
  item.arrived = item.next_attempt = std::chrono::floor<std::chrono::seconds>(base::system_clock().now()).time_since_epoch().count();
  const auto done = co_await with.store.queue().update(std::move(item));
  check(done, id);
  with.queue_changed();
  co_return json{{"id", id}};
}

base::task<json> quarantine_delete(const context& with, const json& request) {
  const std::string id = text(request, "id");
  (void)co_await held_item(with, id);
  const auto done = co_await with.store.queue().remove(id);
  check(done, id);
  co_return json{{"id", id}};
}

}  // namespace briefwerk::apps::commands

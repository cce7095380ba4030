#include "apps/admin/commands.hpp"

namespace briefwerk::apps::commands {
namespace {

search::index& index_of(const context& with) {
  if (with.index == nullptr) throw refusal("there is no full-text index: search.enabled is off, or this program was built without Xapian");
  return *with.index;
}

// All accounts, or the one that the request names.
base::task<std::vector<store::account>> accounts_of(const context& with, const json& request) {
  const std::string login = text_or(request, "account", "");
  std::vector<store::account> out;
  if (login.empty()) {
    auto got = co_await with.store.directory().accounts();
    out = take(std::move(got), "accounts");
  } else {
    auto got = co_await with.store.directory().find_account(login);
    out.push_back(take(std::move(got), login));
  }
  co_return out;
}

}  // namespace

base::task<json> index_status(const context& with, const json& request) {
  auto& index = index_of(with);
  const auto accounts = co_await accounts_of(with, request);
  json rows = json::array();
  for (const auto& one : accounts) {
    auto used = co_await with.store.mailboxes().usage(one.id);
    const auto usage = take(std::move(used), one.login);
    json row = {{"address", one.login}, {"messages", usage.used_messages}, {"indexed", 0}, {"state", "none"}};
    if (const auto known = index.state(one.id); !known) {
      row["state"] = known.error().message();
    } else if (!known->empty()) {
      std::uint64_t sum = 0;
      for (const auto& mailbox : *known) sum += mailbox.messages;
      row["indexed"] = sum;
      row["state"] = "ready";
    }
    rows.push_back(std::move(row));
  }
  co_return json{{"accounts", std::move(rows)}};
}

// A running server builds it anew soon, another one after its start.
base::task<json> index_rebuild(const context& with, const json& request) {
  auto& index = index_of(with);
  const auto accounts = co_await accounts_of(with, request);
  for (const auto& one : accounts) {
    if (with.indexing != nullptr) with.indexing->rebuild(one.id);
    else if (const auto done = index.erase(one.id); !done && done.error() != base::errc::not_found) check(done, one.login);
  }
  co_return json{{"accounts", accounts.size()}};
}

}  // namespace briefwerk::apps::commands

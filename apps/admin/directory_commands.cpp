#include "apps/admin/commands.hpp"
#include "apps/filter/spam_filter.hpp"
#include "briefwerk/server/passwords.hpp"

namespace briefwerk::apps::commands {
namespace {

std::string domain_name(const std::string& given) {
  auto ascii = mail::domain_to_ascii(given);
  if (!ascii || !mail::is_domain(*ascii) || base::ip_address::parse(*ascii)) throw refusal(given + " is not a domain name");
  return std::move(*ascii);
}

// Of an account or alias here: the directory has no names that would have to stand in quotes.
mail::mailbox_address own_address(const std::string& given) {
  mail::mailbox_address parsed = address(given);
  if (mail::format_mailbox(parsed).starts_with('"')) throw refusal(given + ": addresses here have no name that needs quotes");
  return parsed;
}

base::task<store::account> account_of(const context& with, std::string login) {
  auto found = co_await with.store.directory().find_account(login);
  co_return take(std::move(found), login);
}

std::vector<std::string> credentials_for(const context& with, const json& request) {
  const std::string scheme = text_or(request, "scheme", "scram");
  if (scheme != "scram" && scheme != "plain") throw refusal("scheme must be scram or plain");
  return take(server::make_credentials(with.crypto,
                                       scheme == "plain" ? server::password_scheme::recoverable
                                                         : server::password_scheme::scram,
                                       text(request, "password")),
              "this password cannot be used");
}

json describe(const store::account& one, const store::quota_usage& usage) {
  return {{"address", one.login},
          {"id", one.id},
          {"enabled", one.enabled},
          {"octets", usage.used_octets},
          {"messages", usage.used_messages},
          {"quota_octets", one.quota_octets},
          {"quota_messages", one.quota_messages},
          {"send_as", one.send_as}};
}

// Of the aliases that lead to it.
base::task<json> aliases_of(const context& with, const store::account& account) {
  auto got = co_await with.store.directory().aliases();
  json names = json::array();
  const auto all = take(std::move(got), "aliases");
  for (const auto& one : all) {
    bool named = false;
    for (const std::string& target : one.targets) {
      const auto owner = co_await with.store.directory().find_account(target);
      named = named || (owner && owner->id == account.id);
    }
    if (named) names.push_back(one.address);
  }
  co_return names;
}

}  // namespace

base::task<json> domain_add(const context& with, const json& request) {
  store::domain value;
  value.name = domain_name(text(request, "name"));
  auto known = co_await with.store.directory().domains();
  for (auto& one : take(std::move(known), "domains")) {
    if (one.name == value.name) value = std::move(one);
  }
  value.catch_all = text_or(request, "catch_all", value.catch_all);
  if (!value.catch_all.empty()) (void)address(value.catch_all);
  const std::string separator = text_or(request, "separator", std::string(value.subaddress_separator ? 1 : 0, value.subaddress_separator));
  if (separator.size() > 1 || separator == "@") throw refusal("the separator is one character, and not @");
  value.subaddress_separator = separator.empty() ? '\0' : separator.front();
  const std::string name = value.name;
  check(co_await with.store.directory().put_domain(std::move(value)), name);
  co_return json{{"name", name}};
}

base::task<json> domain_list(const context& with, const json&) {
  auto got = co_await with.store.directory().domains();
  const auto all = take(std::move(got), "domains");
  json rows = json::array();
  for (const auto& one : all) {
    rows.push_back({{"name", one.name},
                    {"catch_all", one.catch_all},
                    {"separator", one.subaddress_separator ? std::string(1, one.subaddress_separator) : std::string()}});
  }
  co_return json{{"domains", std::move(rows)}};
}

base::task<json> domain_delete(const context& with, const json& request) {
  const std::string name = domain_name(text(request, "name"));
  const auto done = co_await with.store.directory().remove_domain(name);
  check(done, name);
  co_return json{{"name", name}};
}

base::task<json> account_add(const context& with, const json& request) {
  const mail::mailbox_address wanted = own_address(text(request, "address"));
  auto local = co_await with.store.directory().is_local_domain(domain_name(wanted.domain));
  if (!take(std::move(local), wanted.domain)) throw refusal("the domain " + wanted.domain + " is not served here: add it first");
  store::account value;
  value.login = mail::format_mailbox(wanted);
  value.credentials = credentials_for(with, request);
  value.quota_octets = number_or(request, "quota_octets", 0);
  value.quota_messages = number_or(request, "quota_messages", 0);
  auto added = co_await with.store.directory().add_account(std::move(value));
  const store::account account = take(std::move(added), mail::format_mailbox(wanted));
  const auto made = co_await with.store.mailboxes().create_account(account.id);
  check(made, account.login);
  co_return json{{"address", account.login}, {"id", account.id}};
}

base::task<json> account_change(const context& with, const json& request) {
  store::account value = co_await account_of(with, text(request, "address"));
  if (request.contains("password")) value.credentials = credentials_for(with, request);
  if (request.contains("enabled")) value.enabled = request["enabled"].get<bool>();
  if (request.contains("send_as")) value.send_as = request["send_as"].get<std::vector<std::string>>();
  for (const std::string& one : value.send_as) {
    if (one.starts_with('@')) (void)domain_name(one.substr(1));
    else (void)address(one);
  }
  value.quota_octets = number_or(request, "quota_octets", value.quota_octets);
  value.quota_messages = number_or(request, "quota_messages", value.quota_messages);
  const std::string login = value.login;
  const auto done = co_await with.store.directory().update_account(std::move(value));
  check(done, login);
  co_return json{{"address", login}};
}

base::task<json> account_list(const context& with, const json&) {
  auto got = co_await with.store.directory().accounts();
  const auto all = take(std::move(got), "accounts");
  json rows = json::array();
  for (const auto& one : all) {
    const auto usage = co_await with.store.mailboxes().usage(one.id);
    rows.push_back(describe(one, usage.value_or(store::quota_usage{})));
  }
  co_return json{{"accounts", std::move(rows)}};
}

base::task<json> account_find(const context& with, const json& request) {
  const store::account value = co_await account_of(with, text(request, "address"));
  const auto usage = co_await with.store.mailboxes().usage(value.id);
  json names = co_await aliases_of(with, value);
  co_return json{{"account", describe(value, usage.value_or(store::quota_usage{}))}, {"aliases", std::move(names)}};
}

base::task<json> account_delete(const context& with, const json& request) {
  const store::account value = co_await account_of(with, text(request, "address"));
  json names = co_await aliases_of(with, value);
  auto done = co_await with.store.directory().remove_account(value.id);
  check(done, value.login);
  done = co_await with.store.mailboxes().remove_account(value.id);
  check(done, value.login);
  if (with.spam != nullptr && with.spam->trainer() != nullptr) with.spam->trainer()->forget(value.id);
  if (with.indexing != nullptr) with.indexing->forget(value.id);
  else if (with.index != nullptr) (void)with.index->erase(value.id);
  co_return json{{"address", value.login}, {"aliases", std::move(names)}};
}

base::task<json> alias_add(const context& with, const json& request) {
  store::alias value;
  value.address = mail::format_mailbox(own_address(text(request, "address")));
  if (!request.contains("targets") || !request["targets"].is_array()) throw refusal("targets are missing");
  for (const auto& target : request["targets"]) value.targets.push_back(mail::format_mailbox(address(target.get<std::string>())));
  if (value.targets.empty()) throw refusal("targets are missing");
  const std::string name = value.address;
  const auto done = co_await with.store.directory().put_alias(std::move(value));
  check(done, name);
  co_return json{{"address", name}};
}

base::task<json> alias_list(const context& with, const json&) {
  auto got = co_await with.store.directory().aliases();
  const auto all = take(std::move(got), "aliases");
  json rows = json::array();
  for (const auto& one : all) rows.push_back({{"address", one.address}, {"targets", one.targets}});
  co_return json{{"aliases", std::move(rows)}};
}

base::task<json> alias_delete(const context& with, const json& request) {
  const std::string name = text(request, "address");
  const auto done = co_await with.store.directory().remove_alias(name);
  check(done, name);
  co_return json{{"address", name}};
}

}  // namespace briefwerk::apps::commands

#include "apps/admin/admin.hpp"

#include <exception>
#include <map>
#include <string_view>

#include "apps/admin/commands.hpp"

namespace briefwerk::apps {

using commands::json;

namespace {

using handler = base::task<json> (*)(const commands::context&, const json&);

const std::map<std::string_view, handler>& table() {
  static const std::map<std::string_view, handler> all = {
      {"domain.add", commands::domain_add},         {"domain.list", commands::domain_list},
      {"domain.delete", commands::domain_delete},   {"account.add", commands::account_add},
      {"account.change", commands::account_change}, {"account.list", commands::account_list},
      {"account.delete", commands::account_delete}, {"account.find", commands::account_find},
      {"alias.add", commands::alias_add},
      {"alias.list", commands::alias_list},         {"alias.delete", commands::alias_delete},
      {"queue.list", commands::queue_list},         {"queue.show", commands::queue_show},
      {"queue.retry", commands::queue_retry},       {"queue.delete", commands::queue_delete},
      {"dkim.list", commands::dkim_list},           {"dkim.generate", commands::dkim_generate},
      {"dkim.check", commands::dkim_check},         {"dkim.activate", commands::dkim_activate},
      {"dkim.rotate", commands::dkim_rotate},       {"dkim.retire", commands::dkim_retire},
      {"mailbox.list", commands::mailbox_list},     {"mailbox.export", commands::mailbox_export},
      {"mailbox.rights", commands::mailbox_rights}, {"mailbox.share", commands::mailbox_share},
      {"mailbox.import", commands::mailbox_import}, {"status", commands::status},
      {"ban.list", commands::ban_list},             {"ban.add", commands::ban_add},
      {"ban.remove", commands::ban_remove},         {"ban.explain", commands::ban_explain},
      {"ban.export", commands::ban_export},
      {"quarantine.list", commands::quarantine_list},       {"quarantine.show", commands::quarantine_show},
      {"quarantine.release", commands::quarantine_release}, {"quarantine.delete", commands::quarantine_delete},
      {"filter.test", commands::filter_test},               {"spam.learn", commands::spam_learn},
      {"spam.status", commands::spam_status},               {"spam.forget", commands::spam_forget},
      {"index.status", commands::index_status},     {"index.rebuild", commands::index_rebuild},
  };
  return all;
}

std::string error(const std::string& text) {
  return json{{"error", text}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

admin::admin(store::local_store& store, const base::crypto& crypto, delivery::key_ring& keys, const base::metrics* metrics,
             std::function<void()> queue_changed, const filter::chain* chain)
    : store_(store),
      crypto_(crypto),
      keys_(keys),
      metrics_(metrics),
      queue_changed_(std::move(queue_changed)),
      chain_(chain) {}

base::task<std::string> admin::execute(std::string line) {
  const json request = json::parse(line, nullptr, false);
  if (!request.is_object()) co_return error("the request is not a JSON object");
  const auto name = request.find("command");
  if (name == request.end() || !name->is_string()) co_return error("the request has no command");
  const auto found = table().find(name->get<std::string>());
  if (found == table().end()) co_return error("unknown command " + name->get<std::string>());
  const commands::context with{store_, crypto_, keys_, metrics_, queue_changed_, guard_, nft_, chain_, spam_, index_, indexing_, tls_};
  try {
    json answer = co_await found->second(with, request);
    answer["ok"] = true;
    co_return answer.dump(-1, ' ', false, json::error_handler_t::replace);
  } catch (const commands::refusal& why) {
    co_return error(why.what());
  } catch (const json::exception& why) {
    co_return error(std::string("bad request: ") + why.what());
  } catch (const std::exception&) {
    co_return error("the request failed: too large for the memory that there is");
  }
}

namespace commands {

std::string text(const json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end() || !found->is_string() || found->get<std::string>().empty()) {
    throw refusal(std::string(key) + " is missing");
  }
  return found->get<std::string>();
}

std::string text_or(const json& request, const char* key, std::string otherwise) {
  const auto found = request.find(key);
  return found != request.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

std::uint64_t number_or(const json& request, const char* key, std::uint64_t otherwise) {
  const auto found = request.find(key);
  return found != request.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : otherwise;
}

mail::mailbox_address address(const std::string& text) {
  auto parsed = mail::parse_mailbox(text, mail::utf8::allow);
  if (!parsed) throw refusal(text + " is not a mail address");
  return std::move(*parsed);
}

void check(const base::status& done, const std::string& what) {
  if (!done) throw refusal(what + ": " + done.error().message());
}

}  // namespace commands
}  // namespace briefwerk::apps

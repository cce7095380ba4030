#include "apps/admin/commands.hpp"
#include "apps/filter/spam_filter.hpp"
#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/encoding.hpp"

namespace briefwerk::apps::commands {
namespace {

spam_filter& spam_of(const context& with) {
  if (with.spam == nullptr) throw refusal("judging spam is switched off (filter.spam.enabled)");
  if (with.spam->classifier() == nullptr) {
    throw refusal("the classifier is switched off (filter.spam.classifier.enabled)");
  }
  return *with.spam;
}

// The id of the account that the request names; "": what all share.
base::task<std::string> account_of(const context& with, const json& request) {
  std::string login = text_or(request, "account", "");
  if (login.empty()) co_return login;
  auto found = co_await with.store.directory().find_account(login);
  co_return take(std::move(found), login).id;
}

filter::kind_of_mail kind_of(const std::string& name) {
  if (name == "spam") return filter::kind_of_mail::spam;
  if (name == "ham") return filter::kind_of_mail::ham;
  throw refusal("as must be spam or ham");
}

std::vector<std::string> messages_of(const json& request) {
  std::vector<std::string> out;
  if (!request.contains("messages") || !request["messages"].is_array()) throw refusal("messages are missing");
  for (const auto& one : request["messages"]) {
    auto octets = base::base64_decode(one.get<std::string>());
    if (!octets) throw refusal("a message is no base64");
    out.push_back(std::move(*octets));
  }
  return out;
}

}  // namespace

base::task<json> spam_learn(const context& with, const json& request) {
  spam_filter& spam = spam_of(with);
  const auto as = kind_of(text(request, "as"));
  std::vector<std::string> messages = messages_of(request);
  const std::size_t count = messages.size();
  std::string account = co_await account_of(with, request);
  const std::uint64_t learned = co_await spam.trainer()->learn(std::move(account), std::move(messages), as);
  co_return json{{"messages", count}, {"learned", learned}};
}

base::task<json> spam_status(const context& with, const json& request) {
  spam_filter& spam = spam_of(with);
  const std::string account = co_await account_of(with, request);
  const auto now = std::chrono::floor<std::chrono::seconds>(base::system_clock().now()).time_since_epoch().count();
  const auto learned = spam.classifier()->learned(account, now);
  co_return json{{"account", text_or(request, "account", "")},
                 {"spam", learned.spam},
                 {"ham", learned.ham},
                 {"entries", spam.classifier()->size()},
                 {"rules", spam.stage()->rule_count()}};
}

base::task<json> spam_forget(const context& with, const json& request) {
  spam_filter& spam = spam_of(with);
  const std::string account = co_await account_of(with, request);
  co_return json{{"account", text_or(request, "account", "")}, {"counts", spam.trainer()->forget(account)}};
}

}  // namespace briefwerk::apps::commands

#include "apps/filter/spam_filter.hpp"

#include <chrono>
#include <utility>

#include "apps/filter/spam_rules.hpp"
#include "briefwerk/base/clock.hpp"

namespace briefwerk::apps {
namespace {

using base::log_level;

// Who will get it, where that is one account.
base::task<std::string> account_of(store::directory& accounts, mail::mailbox_address to) {
  const auto found = co_await accounts.resolve(std::move(to));
  if (!found || found->accounts.size() != 1) co_return std::string();
  co_return found->accounts.front().account;
}

filter::bayes_options to_bayes_options(const classifier_config& conf) {
  return {.entries = conf.entries,
          .lifetime = std::chrono::days(conf.lifetime_days),
          .least_messages = static_cast<std::uint32_t>(conf.least_messages)};
}

}  // namespace

net::explained<std::unique_ptr<spam_filter>> spam_filter::create(const spam_config& conf, base::siphash_key key,
                                                                 store::local_store& store, base::log_sink& log,
                                                                 base::metrics* metrics) {
  std::unique_ptr<spam_filter> made(new spam_filter(conf, log));
  auto rules = load_spam_rules(conf);
  if (!rules) return std::unexpected(rules.error());
  const classifier_config& learns = conf.classifier;
  if (learns.enabled) {
    made->classifier_ = std::make_shared<filter::bayes>(to_bayes_options(learns), key);
    made->trainer_ = std::make_unique<spam_trainer>(
        *made->classifier_, store.mailboxes(),
        spam_trainer::options{.queue = learns.queue,
                              .share_a_day = learns.share ? learns.share_a_day : 0,
                              .log = &log,
                              .metrics = metrics});
  }
  filter::spam_options options{.rules = std::move(*rules), .classifier = made->classifier_};
  options.classifier_score = learns.score;
  options.account_of = [&accounts = store.directory()](mail::mailbox_address to) {
    return account_of(accounts, std::move(to));
  };
  options.metrics = metrics;
  std::string wrong;
  auto stage = filter::spam_stage::create(std::move(options), base::system_clock(), wrong);
  if (!stage) return std::unexpected(net::explained_error{stage.error(), conf.rules + ": " + wrong});
  made->stage_ = std::move(*stage);
  return made;
}

void spam_filter::reload() {
  if (conf_.rules.empty()) return;
  const auto refuse = [this](const std::string& why) {
    log_.log(log_level::error, "spam.rules_refused", {{"reason", why}});
  };
  auto rules = load_spam_rules(conf_);
  if (!rules) return refuse(rules.error().text);
  const std::size_t count = rules->size();
  std::string wrong;
  if (!stage_->set_rules(std::move(*rules), wrong)) return refuse(conf_.rules + ": " + wrong);
  log_.log(log_level::info, "spam.rules_read", {{"rules", count}});
}

void spam_filter::start() {
  if (trainer_) trainer_->start();
}

void spam_filter::stop() { trainer_.reset(); }

}  // namespace briefwerk::apps

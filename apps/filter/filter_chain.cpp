#include "apps/filter/filter_chain.hpp"

#include <charconv>
#include <chrono>
#include <utility>

#include "apps/config/conversions.hpp"
#include "apps/filter/milters.hpp"
#include "apps/filter/options.hpp"
#include "apps/filter/virus.hpp"
#include "apps/store/open_store.hpp"
#include "briefwerk/base/clock.hpp"
#include "briefwerk/mail/address.hpp"

namespace briefwerk::apps {
namespace {

using namespace std::chrono_literals;
using base::log_level;

constexpr auto save_every = 2s;

std::int64_t now() {
  return std::chrono::floor<std::chrono::seconds>(base::system_clock().now()).time_since_epoch().count();
}

class kept_rows final : public filter::state_store {
 public:
  explicit kept_rows(store::state_rows& rows) : rows_(rows) {}
  base::status load(const std::function<void(std::string_view, std::string_view)>& each) override { return rows_.load(each); }
  void put(std::string key, std::string value) override {
    make_room();
    rows_.put(std::move(key), std::move(value));
  }
  void erase(std::string key) override {
    make_room();
    rows_.erase(std::move(key));
  }

 private:
  // What changes at once may be more than the rows let wait.
  void make_room() {
    if (++waiting_ % (base::limits::state_pending / 4) == 0) (void)rows_.flush();
  }

  store::state_rows& rows_;
  std::size_t waiting_ = 0;
};

std::string score_text(double score) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, score, std::chars_format::fixed, 1);
  return {text, end.ptr};
}

// All that a decision leaves behind: when, who, to whom, and why. Never content.
void log_decision(base::log_sink& log, const filter::session_facts& session, const filter::decision& made) {
  if (!log.enabled(log_level::info)) return;
  const std::string peer = session.remote.address.to_string();
  std::string from, to;
  if (made.envelope) from = made.envelope->sender ? mail::format_mailbox(*made.envelope->sender) : "<>";
  if (made.recipient) {
    to = mail::format_mailbox(made.recipient->address);
  } else if (made.envelope) {
    for (const auto& one : made.envelope->recipients) {
      if (to.size() > base::limits::log_value) break;
      if (!to.empty()) to += ',';
      mail::append_mailbox(to, one.address);
    }
  }
  const std::string score = score_text(made.verdict->score);
  log.log(log_level::info, "filter.verdict",
          {{"session", session.session_id},
           {"peer", peer},
           {"stage", made.stage},
           {"hook", filter::to_string(made.at)},
           {"action", filter::to_string(made.verdict->what)},
           {"score", score},
           {"reason", made.verdict->reason},
           {"from", from},
           {"to", to},
           {"dry_run", made.dry_run}});
}

}  // namespace

filter_chain::filter_chain(const config& conf, filter_parts parts)
    : parts_(std::move(parts)),
      chain_({.observer = [&log = parts_.log](const auto& session, const auto& made) { log_decision(log, session, made); },
              .metrics = parts_.metrics,
              .junk_score = conf.filter.junk_score,
              .reject_score = conf.filter.reject_score}) {}

filter_chain::~filter_chain() {
  if (spam_) spam_->stop();
  saver_ = {};
  save();
}

net::explained<std::unique_ptr<filter_chain>> filter_chain::create(const config& conf, filter_parts parts) {
  std::unique_ptr<filter_chain> made(new filter_chain(conf, std::move(parts)));
  if (auto built = made->build(conf); !built) return std::unexpected(built.error());
  return made;
}

void filter_chain::add(std::shared_ptr<filter::stage> stage, const filter_config& conf, filter::stage_options usual) {
  const std::string name(stage->name());
  chain_.add(std::move(stage), to_stage_options(conf, name, std::move(usual)));
}

net::explained<void> filter_chain::keep(filter::kept_table& table, std::string_view name) {
  kept one{&table, parts_.store.state(name)};
  kept_rows rows(*one.rows);
  if (auto loaded = table.load(rows, now()); !loaded) {
    return std::unexpected(net::explained_error{loaded.error(), "cannot read the state of " + std::string(name) + ": " + loaded.error().message()});
  }
  kept_.push_back(std::move(one));
  return {};
}

// In the order in which their verdicts speak. What needs the least of others stands first.
net::explained<void> filter_chain::build(const config& conf) {
  const filter_config& all = conf.filter;
  // Nobody else can tell what stands behind the keys of the small state, nor aim at its slots.
  const auto key = derived_key(conf.data, parts_.crypto, "keys of small state");
  if (!key) return std::unexpected(key.error());
  const auto inbound = filter::scope::inbound;
  const auto open = filter::failure_mode::open;

  if (conf.authentication.check) {
    filter::mailauth_options options = to_mailauth_options(conf);
    options.evaluated = parts_.evaluated;
    options.log = &parts_.log;
    options.metrics = parts_.metrics;
    add(std::make_shared<filter::mailauth_stage>(parts_.resolver, parts_.crypto, base::system_clock(), std::move(options)), all,
        {.on_failure = open, .only = inbound});
  }
  if (!all.dns_lists.lists.empty()) {
    if (auto list = mailauth::public_suffix_list::newest()) suffixes_ = std::move(*list);
    const auto options = to_dns_lists_options(all.dns_lists);
    const auto limit = options.limit + 1s;
    lists_ = std::make_shared<filter::dns_lists>(options, parts_.resolver, suffixes_ ? &*suffixes_ : nullptr);
    add(lists_, all, {.on_failure = open, .limit = limit, .only = inbound});
  }
  if (!all.rate.rules.empty() || all.rate.recipients_a_day != 0 || all.rate.new_recipients_a_day != 0) {
    auto options = to_rate_options(all.rate);
    options.notify = parts_.notify;
    auto stage = std::make_shared<filter::rate>(std::move(options), base::system_clock(), *key);
    if (auto loaded = keep(stage->state(), "rate"); !loaded) return loaded;
    add(std::move(stage), all, {.on_failure = open});
  }
  if (all.greylist.enabled) {
    auto stage = std::make_shared<filter::greylist>(to_greylist_options(all.greylist), parts_.resolver, base::system_clock(), *key);
    if (auto loaded = keep(stage->state(), "greylist"); !loaded) return loaded;
    add(std::move(stage), all, {.on_failure = open, .only = inbound, .after = {"dns_lists", "rate", "mailauth"}});
  }
  const content_config& rules = all.content;
  if (!rules.senders.empty() || !rules.recipients.empty() || rules.size != 0 || !rules.attachments.empty() || !rules.headers.empty()) {
    std::string wrong;
    auto stage = filter::content::create(to_content_options(rules), wrong);
    if (!stage) return std::unexpected(net::explained_error{stage.error(), "/filter/content: " + wrong});
    add(std::move(*stage), all, {});
  }
  if (all.spam.enabled) {
    if (auto built = build_spam(conf); !built) return built;
  }
  if (all.virus.scanner != "none") {
    add(make_virus_stage(conf, parts_.log, parts_.metrics, parts_.infected), all, usual_virus_options(all.virus));
  }
  std::vector<std::string> before = chain_.names();
  for (const milter_config& one : all.milters) {
    add(make_milter_stage(conf, one, parts_.log, parts_.metrics), all, usual_milter_options(one, before));
    before.push_back(one.name);
  }
  return {};
}

// What is refused anyway is not judged.
net::explained<void> filter_chain::build_spam(const config& conf) {
  const auto key = derived_key(conf.data, parts_.crypto, "tokens of the spam classifier");
  if (!key) return std::unexpected(key.error());
  auto made = spam_filter::create(conf.filter.spam, *key, parts_.store, parts_.log, parts_.metrics);
  if (!made) return std::unexpected(made.error());
  spam_ = std::move(*made);
  if (spam_->classifier() != nullptr) {
    if (auto loaded = keep(spam_->classifier()->state(), "spam"); !loaded) return loaded;
  }
  add(spam_->stage(), conf.filter,
      {.on_failure = filter::failure_mode::open,
       .only = filter::scope::inbound,
       .after = {"mailauth", "dns_lists", "rate", "greylist", "content"}});
  return {};
}

void filter_chain::reload() {
  if (spam_) spam_->reload();
}

void filter_chain::start() {
  if (spam_) spam_->start();
  if (kept_.empty()) return;
  saver_ = std::jthread([this](std::stop_token stop) {
    while (!stop.stop_requested()) {
      {
        std::unique_lock lock(mutex_);
        waiting_.wait_for(lock, stop, save_every, [] { return false; });
      }
      save();
    }
  });
}

void filter_chain::save() {
  for (const kept& one : kept_) {
    try {
      kept_rows rows(*one.rows);
      one.table->save(rows, now());
    } catch (const std::exception&) {
      parts_.log.log(log_level::error, "filter.state_lost", {{"reason", "not enough memory"}});
    }
  }
}

base::task<void> filter_chain::check_lists() const {
  if (!lists_) co_return;
  const std::vector<std::string> wrong = co_await lists_->check();
  for (const std::string& one : wrong) parts_.log.log(log_level::warning, "filter.list_not_working", {{"reason", one}});
}

}  // namespace briefwerk::apps

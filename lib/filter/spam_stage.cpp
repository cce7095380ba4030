#include "briefwerk/filter/spam_stage.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "briefwerk/filter/links.hpp"
#include "briefwerk/filter/mail_authentication.hpp"
#include "filter/spam_tests.hpp"

namespace briefwerk::filter {
namespace {

std::string points_text(double points) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, points, std::chars_format::fixed, 1);
  return {text, end.ptr};
}

bool is_name(std::string_view name) noexcept {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::unique_ptr<re2::RE2> pattern_of(const std::string& text) {
  re2::RE2::Options how(re2::RE2::Quiet);
  how.set_max_mem(1 << 20);  // of each pattern's automata
  return std::make_unique<re2::RE2>(text, how);
}

}  // namespace

struct spam_stage::compiled {
  spam_rule what;
  spam_test_function test = nullptr;
  std::unique_ptr<re2::RE2> pattern{};  // null where there is a test
  base::counter* hits = nullptr;

  bool asks_links() const { return what.links || needs_links(what.test); }
  bool is_hit(const looked_at& m) const {
    if (test != nullptr) return test(m);
    if (what.links) {
      return std::ranges::any_of(m.hosts, [&](const auto& host) { return re2::RE2::PartialMatch(host, *pattern); });
    }
    return std::ranges::any_of(m.header.fields(), [&](const mail::header_field& field) {
      return mail::equals_ignoring_case(field.name, what.field) &&
             re2::RE2::PartialMatch(mail::decode_text(field.value), *pattern);
    });
  }
};

spam_stage::spam_stage(spam_options options, const base::clock& clock, rule_set rules)
    : options_(std::move(options)), clock_(clock), rules_(std::move(rules)) {}
spam_stage::~spam_stage() = default;

base::result<spam_stage::rule_set> spam_stage::compile(std::vector<spam_rule> rules, base::metrics* metrics,
                                                       std::string& wrong) {
  std::vector<compiled> made;
  for (spam_rule& one : rules) {
    compiled rule{.what = std::move(one)};
    const spam_rule& what = rule.what;
    const int places = !what.test.empty() + !what.field.empty() + what.links;
    if (!is_name(what.name)) {
      wrong = "\"" + what.name + "\" is no name of a rule";
    } else if (places != 1) {
      wrong = "the rule " + what.name + " needs one of a test, a field and links";
    } else if (!what.test.empty()) {
      rule.test = find_spam_test(what.test);
      if (rule.test == nullptr) wrong = "the rule " + what.name + ": there is no test \"" + what.test + "\"";
    } else {
      rule.pattern = pattern_of(what.pattern);
      if (!rule.pattern->ok()) wrong = "the pattern of the rule " + what.name + ": " + rule.pattern->error();
    }
    if (!wrong.empty()) return base::fail(base::errc::malformed);
    if (metrics != nullptr) rule.hits = &metrics->get_counter("spam.rule." + what.name);
    made.push_back(std::move(rule));
  }
  return std::make_shared<const std::vector<compiled>>(std::move(made));
}

base::result<std::shared_ptr<spam_stage>> spam_stage::create(spam_options options, const base::clock& clock,
                                                             std::string& wrong) {
  auto rules = compile(std::exchange(options.rules, {}), options.metrics, wrong);
  if (!rules) return base::fail(rules.error());
  return std::shared_ptr<spam_stage>(new spam_stage(std::move(options), clock, std::move(*rules)));
}

base::status spam_stage::set_rules(std::vector<spam_rule> rules, std::string& wrong) {
  auto made = compile(std::move(rules), options_.metrics, wrong);
  if (!made) return base::fail(made.error());
  std::lock_guard lock(mutex_);
  rules_ = std::move(*made);
  return {};
}

spam_stage::rule_set spam_stage::rules() const {
  std::lock_guard lock(mutex_);
  return rules_;
}

std::size_t spam_stage::rule_count() const { return rules()->size(); }

base::task<verdict> spam_stage::message(session_facts& session, const mail::smtp_envelope& envelope,
                                        const message_facts& message) {
  const rule_set rules = this->rules();
  looked_at m{.header = mail::header_block(message.octets),
              .tree = mail::mime_tree(message.octets),
              .session = session,
              .auth = auth_facts_of(session),
              .checked = mail_authentication_of(session) != nullptr,
              .hosts = {},
              .now = std::chrono::floor<std::chrono::seconds>(clock_.now())};
  if (std::ranges::any_of(*rules, &compiled::asks_links)) m.hosts = link_hosts(message.octets);
  double sum = 0;
  std::string hits;
  const auto hit = [&](std::string_view rule, double points) {
    sum += points;
    hits.append(" ").append(rule).append("=").append(points_text(points));
  };
  for (const compiled& rule : *rules) {
    if (!rule.is_hit(m)) continue;
    hit(rule.what.name, rule.what.score);
    if (rule.hits != nullptr && !session.trial) rule.hits->add();
  }
  if (options_.classifier) {
    std::string account;
    if (options_.account_of && envelope.recipients.size() == 1) {
      account = co_await options_.account_of(envelope.recipients.front().address);
    }
    const bayes::opinion said =
        options_.classifier->judge(message.octets, account, m.now.time_since_epoch().count());
    const double worth = options_.classifier_score;
    if (said.known) hit("classifier", worth * std::clamp(said.evidence / bayes::spam_evidence, -1.0, 2.0));
  }
  if (hits.empty()) co_return verdict::accepted();
  verdict made = verdict::tagged(sum, "spam rules:" + hits);
  if (!options_.field.empty()) made.add_fields.push_back({options_.field, points_text(sum) + hits});
  co_return made;
}

}  // namespace briefwerk::filter

#include "briefwerk/filter/spam_stage.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <utility>

#include "briefwerk/filter/auth_facts.hpp"
#include "briefwerk/filter/links.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/mime.hpp"

namespace briefwerk::filter {
namespace {

using mailauth::outcome;

// A message as the rules look at it.
struct looked_at {
  explicit looked_at(std::string_view octets, const auth_facts& known) : header(octets), tree(octets), auth(known) {}
  mail::header_block header;
  mail::mime_tree tree;
  const auth_facts& auth;
};

bool is_html_only(const looked_at& m) {
  const auto any = [&](std::string_view subtype) {
    return std::ranges::any_of(m.tree.parts(), [&](const auto& part) { return m.tree.is(part, "text", subtype); });
  };
  return any("html") && !any("plain");
}

bool is_loud(const looked_at& m) {
  const std::string subject = mail::decode_text(m.header.value("Subject"));
  const auto letters = std::ranges::count_if(subject, [](char c) { return c >= 'A' && c <= 'Z'; });
  return letters >= 8 && std::ranges::none_of(subject, [](char c) {
           return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
         });
}

using test_function = bool (*)(const looked_at&);
constexpr std::pair<std::string_view, test_function> tests[] = {
    {"no_date", [](const looked_at& m) { return m.header.count("Date") == 0; }},
    {"no_message_id", [](const looked_at& m) { return m.header.count("Message-ID") == 0; }},
    {"no_subject", [](const looked_at& m) { return m.header.count("Subject") == 0; }},
    {"no_from", [](const looked_at& m) { return m.header.count("From") == 0; }},
    {"html_only", is_html_only},
    {"loud_subject", is_loud},
    {"spf_fail", [](const looked_at& m) { return m.auth.spf == outcome::fail; }},
    {"dkim_pass", [](const looked_at& m) { return !m.auth.dkim_domains.empty(); }},
    {"dmarc_pass", [](const looked_at& m) { return m.auth.dmarc == outcome::pass; }},
    {"dmarc_fail", [](const looked_at& m) { return m.auth.dmarc == outcome::fail; }},
};

test_function find_test(std::string_view name) {
  const auto found = std::ranges::find(tests, name, &std::pair<std::string_view, test_function>::first);
  return found == std::end(tests) ? nullptr : found->second;
}

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

}  // namespace

std::span<const std::string_view> spam_tests() noexcept {
  static constexpr auto names = [] {
    std::array<std::string_view, std::size(tests)> out;
    std::ranges::transform(tests, out.begin(), &std::pair<std::string_view, test_function>::first);
    return out;
  }();
  return names;
}

struct spam_stage::compiled {
  struct rule {
    test_function test = nullptr;
    std::unique_ptr<re2::RE2> pattern;  // null where there is a test
  };
  std::vector<rule> all;  // one for each of options_.rules

  static bool is_hit(const spam_rule& what, const rule& by, const looked_at& m, const std::vector<std::string>& hosts) {
    if (by.test != nullptr) return by.test(m);
    if (what.links) {
      return std::ranges::any_of(hosts, [&](const auto& host) { return re2::RE2::PartialMatch(host, *by.pattern); });
    }
    return std::ranges::any_of(m.header.fields(), [&](const mail::header_field& field) {
      return mail::equals_ignoring_case(field.name, what.field) &&
             re2::RE2::PartialMatch(mail::decode_text(field.value), *by.pattern);
    });
  }
};

spam_stage::spam_stage(spam_options options, const base::clock& clock, std::unique_ptr<compiled> rules)
    : options_(std::move(options)), clock_(clock), rules_(std::move(rules)) {}
spam_stage::~spam_stage() = default;

base::result<std::shared_ptr<spam_stage>> spam_stage::create(spam_options options, const base::clock& clock,
                                                             std::string& wrong) {
  auto made = std::make_unique<compiled>();
  re2::RE2::Options how(re2::RE2::Quiet);
  how.set_max_mem(1 << 20);  // of each pattern's automata
  for (const spam_rule& one : options.rules) {
    compiled::rule rule;
    const int places = !one.test.empty() + !one.field.empty() + one.links;
    if (!is_name(one.name)) {
      wrong = "\"" + one.name + "\" is no name of a rule";
    } else if (places != 1) {
      wrong = "the rule " + one.name + " needs one of a test, a field and links";
    } else if (!one.test.empty()) {
      rule.test = find_test(one.test);
      if (rule.test == nullptr) wrong = "the rule " + one.name + ": there is no test \"" + one.test + "\"";
    } else {
      rule.pattern = std::make_unique<re2::RE2>(one.pattern, how);
      if (!rule.pattern->ok()) wrong = "the pattern of the rule " + one.name + ": " + rule.pattern->error();
    }
    if (!wrong.empty()) return base::fail(base::errc::malformed);
    made->all.push_back(std::move(rule));
  }
  return std::shared_ptr<spam_stage>(new spam_stage(std::move(options), clock, std::move(made)));
}

base::task<verdict> spam_stage::message(session_facts& session, const mail::smtp_envelope& envelope,
                                        const message_facts& message) {
  const looked_at m(message.octets, auth_facts_of(session));
  const bool asks_links = std::ranges::any_of(options_.rules, &spam_rule::links);
  const std::vector<std::string> hosts = asks_links ? link_hosts(message.octets) : std::vector<std::string>();
  double sum = 0;
  std::string hits;
  const auto hit = [&](std::string_view rule, double points) {
    sum += points;
    hits.append(" ").append(rule).append("=").append(points_text(points));
  };
  for (std::size_t i = 0; i < options_.rules.size(); ++i) {
    const spam_rule& rule = options_.rules[i];
    if (compiled::is_hit(rule, rules_->all[i], m, hosts)) hit(rule.name, rule.score);
  }
  if (options_.classifier) {
    std::string account;
    if (options_.account_of && envelope.recipients.size() == 1) {
      account = options_.account_of(envelope.recipients.front().address);
    }
    const std::int64_t now = std::chrono::floor<std::chrono::seconds>(clock_.now()).time_since_epoch().count();
    const bayes::opinion said = options_.classifier->judge(message.octets, account, now);
    const double worth = options_.classifier_score;
    if (said.known) hit("classifier", worth * std::clamp(said.evidence / bayes::spam_evidence, -1.0, 2.0));
  }
  if (hits.empty()) co_return verdict::accepted();
  verdict made = verdict::tagged(sum, "spam rules:" + hits);
  if (!options_.field.empty()) made.add_fields.push_back({options_.field, points_text(sum) + hits});
  co_return made;
}

}  // namespace briefwerk::filter

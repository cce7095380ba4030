#include "briefwerk/mailauth/dmarc.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "briefwerk/base/limits/mailauth.hpp"
#include "mailauth/dmarc_discovery.hpp"
#include "mailauth/domain_name.hpp"
#include "mailauth/printable.hpp"

namespace briefwerk::mailauth::dmarc {
namespace {

namespace limits = base::limits;
using existence = directory::existence;

policy milder(policy what) noexcept { return what == policy::reject ? policy::quarantine : policy::none; }

bool share_top_level(std::string_view a, std::string_view b) noexcept { return last_labels(a, 1) == last_labels(b, 1); }

// Could the identifier matter? A temporary error of SPF or DKIM may have hidden a pass.
bool counts(outcome result) noexcept { return result == outcome::pass || result == outcome::temperror; }

enum class match : std::uint8_t { different, same, temperror };

// One message, one author domain after the other.
class evaluator {
 public:
  evaluator(base::resolver& dns, input found, options how, tracer trace)
      : how_(std::move(how)), trace_(trace), directory_(dns, how_, trace.deeper()) {
    found.dkim.resize(std::min(found.dkim.size(), limits::dmarc_identifiers));
    spf_ = make_identifier(found.spf.result, std::move(found.spf.domain));
    for (auto& one : found.dkim) {
      dkim_.push_back(make_identifier(one.result, std::move(one.domain)));
      dkim_.back().selector = std::move(one.selector);
    }
  }
  evaluator(const evaluator&) = delete;
  evaluator& operator=(const evaluator&) = delete;

  base::task<evaluation> run(author from) {
    if (from.fault == author_fault::none) {
      co_return co_await of_domain(from.domains.front());
    }
    evaluation worst = empty_evaluation();
    bool first = true;
    for (const auto& domain : from.domains) {
      auto one = co_await of_domain(domain);
      if (one.result == outcome::pass && from.fault != author_fault::several_domains) apply_policy(one);
      if (first || one.disposition > worst.disposition) worst = std::move(one);
      first = false;
    }
    if (from.incomplete) worst.disposition = std::max(worst.disposition, policy::quarantine);
    worst.fault = from.fault;
    worst.result = outcome::permerror;
    worst.reason = to_string(from.fault);
    say(worst);
    co_return worst;
  }

 private:
  static identifier make_identifier(outcome result, std::string domain) {
    auto name = domain_name(domain);
    // What is no domain can be aligned with nothing.
    const bool usable = name.has_value();
    return {
        .result = result, .domain = usable ? std::move(*name) : std::move(domain), .selector = {}, .aligned = false};
  }

  evaluation empty_evaluation() const {
    evaluation out;
    out.method = how_.method;
    out.spf = spf_;
    out.dkim = dkim_;
    return out;
  }

  void say(const evaluation& what) const {
    trace_.step("dmarc", [&] {
      return std::string(to_string(what.result)) + " (" + what.reason + "), disposition " +
             std::string(to_string(what.disposition));
    });
  }

  base::task<evaluation> of_domain(std::string domain) {
    auto out = empty_evaluation();
    out.author_domain = domain;
    const auto place = co_await directory_.discover(domain);
    if (place.temperror) {
      out.result = outcome::temperror;
      out.reason = how_.method == discovery::public_suffix && how_.suffixes == nullptr
                       ? "no public suffix list"
                       : "no answer to the question for a policy";
    } else if (place.at == nullptr) {
      out.reason = "no policy is published for " + domain;
    } else {
      out.policy_domain = place.domain;
      if (place.at->state == lookup::state_type::unusable) {
        out.result = outcome::permerror;
        out.reason = "the record of " + place.domain + " cannot be used: " + place.at->problem;
      } else {
        out.published = place.at->found;
        co_await judge(out);
      }
    }
    out.reason = printable(std::move(out.reason));
    say(out);
    co_return out;
  }

  base::task<void> judge(evaluation& out) {
    out.speaks_of = out.policy_domain == out.author_domain ? subject::own : subject::subdomain;
    bool unsure = false;
    for (auto& one : out.dkim) {
      const auto found = co_await align(out, one, out.published->adkim);
      unsure = unsure || found == match::temperror;
    }
    const auto found = co_await align(out, out.spf, out.published->aspf);
    unsure = unsure || found == match::temperror;

    const identifier* aligned = out.spf.aligned ? &out.spf : nullptr;
    const auto signature = std::ranges::find(out.dkim, true, &identifier::aligned);
    if (signature != out.dkim.end()) aligned = &*signature;
    out.requested = out.published->policy_for(out.speaks_of);
    if (aligned != nullptr) {
      out.result = outcome::pass;
      out.reason = std::string(aligned == &out.spf ? "spf: " : "dkim: ") + aligned->domain + " is aligned with " +
                   out.author_domain;
      co_return;
    }
    if (unsure) {
      out.result = outcome::temperror;
      out.reason = "DNS did not answer where it mattered for an aligned pass";
      co_return;
    }
    out.result = outcome::fail;
    out.reason = "nothing that passed is aligned with " + out.author_domain;
    if (out.speaks_of == subject::subdomain && out.published->np) co_await ask_existence(out);
    out.requested = out.published->policy_for(out.speaks_of);
    if (out.result == outcome::fail) apply_policy(out);
  }

  // np speaks of names that do not exist (RFC 9989 §4.7).
  base::task<void> ask_existence(evaluation& out) {
    const auto found = co_await directory_.exists(out.author_domain);
    if (found == existence::missing) out.speaks_of = subject::missing_subdomain;
    if (found != existence::temperror) co_return;
    out.result = outcome::temperror;
    out.reason = "no answer to the question whether " + out.author_domain + " exists";
  }

  base::task<match> align(evaluation& out, identifier& one, alignment mode) {
    if (!counts(one.result) || one.domain.empty()) co_return match::different;
    auto found = one.domain == out.author_domain ? match::same : match::different;
    if (found == match::different && mode == alignment::relaxed && share_top_level(one.domain, out.author_domain)) {
      if (!domain_name(one.domain)) co_return match::different;
      const auto mine = co_await directory_.organizational_domain(out.author_domain);
      const auto other = co_await directory_.organizational_domain(one.domain);
      out.organizational_domain = mine;
      if (mine.empty() || other.empty())
        found = match::temperror;
      else if (mine == other)
        found = match::same;
    }
    trace_.step("dmarc", [&] {
      constexpr std::string_view words[] = {" is not aligned with ", " is aligned with ", " may be aligned with "};
      return one.domain + std::string(words[static_cast<std::size_t>(found)]) + out.author_domain + " (" +
             (mode == alignment::strict ? "strict" : "relaxed") + "), its result is " +
             std::string(to_string(one.result));
    });
    if (one.result == outcome::temperror) co_return found == match::different ? found : match::temperror;
    one.aligned = found == match::same;
    co_return found;
  }

  // RFC 9989 §4.7 "t", RFC 7489 §6.6.4: one level milder.
  void apply_policy(evaluation& out) {
    out.disposition = out.requested;
    if (out.requested == policy::none) return;
    out.test_mode = out.published->testing;
    out.sampled_out = !out.test_mode && out.published->pct < 100 && sample() >= out.published->pct;
    if (out.test_mode || out.sampled_out) out.disposition = milder(out.requested);
    if (out.sampled_out) trace_.step("dmarc", [] { return std::string("not in the sample that pct asks for"); });
    if (out.test_mode) trace_.step("dmarc", [] { return std::string("the domain tests its policy"); });
  }

  unsigned sample() {
    if (!sample_) sample_ = how_.sample ? how_.sample() : std::random_device()() % 100;
    return *sample_;
  }

  options how_;
  tracer trace_;
  directory directory_;
  identifier spf_;
  std::vector<identifier> dkim_;
  std::optional<unsigned> sample_;
};

}  // namespace

bool evaluation::dkim_aligned() const noexcept { return std::ranges::any_of(dkim, &identifier::aligned); }

base::task<evaluation> evaluate(base::resolver& dns, author from, input found, options how, tracer trace) {
  evaluator work(dns, std::move(found), std::move(how), trace);
  co_return co_await work.run(std::move(from));
}

}  // namespace briefwerk::mailauth::dmarc

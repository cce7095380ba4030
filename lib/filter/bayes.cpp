#include "briefwerk/filter/bayes.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace briefwerk::filter {
namespace {

// Chosen by benchmarks/spam_quality.
constexpr double prior_strength = 0.2;   // messages that the undecided prior weighs
constexpr double account_strength = 1;   // messages that the shared opinion weighs against an account's own
constexpr double least_deviation = 0.3;  // from 0.5: tokens nearer to it say nothing
constexpr double margin = 10;            // of evidence on the right side: more is not learned

constexpr std::uint64_t mix(std::uint64_t x) noexcept {  // the finaliser of MurmurHash3: every bit of x counts
  x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
  x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
  return x ^ x >> 33;
}

// Rows of one scope have a part of their key in common, by which they are found to be forgotten; the rest chooses
// their place in the table.
constexpr unsigned common_bits = 40;
constexpr std::uint64_t common_part(const state_key& key) noexcept { return key.low >> (64 - common_bits); }

constexpr state_key row_of(const state_key& scope, std::uint64_t low, std::uint64_t high) noexcept {
  return {common_part(scope) << (64 - common_bits) | mix(low ^ scope.low) >> common_bits, mix(high + scope.high)};
}
constexpr state_key row_of(const state_key& scope, token one) noexcept { return row_of(scope, one, one); }

}  // namespace

bayes::bayes(bayes_options options, base::siphash_key key)
    : options_(options), key_(key), table_(options.entries, key) {}

state_key bayes::scope_of(std::string_view account) const noexcept { return table_.key_of({"scope", account}); }

state_key bayes::learned_key(std::string_view message, const state_key& scope) const {
  const base::hash128 id = identity_of(message, key_);
  return row_of(scope, id.low, id.high);
}

bayes::totals bayes::totals_of(const state_key& scope, std::int64_t now) const {
  const auto found = table_.find(scope, now);
  return found ? totals{found->spam, found->ham} : totals{};
}

bayes::totals bayes::learned(std::string_view account, std::int64_t now) const {
  return totals_of(scope_of(account), now);
}

void bayes::count(const state_key& row, kind_of_mail as, int change, std::int64_t now, std::int64_t expires) {
  table_.update(row, now, [&](counts& at) {
    std::uint32_t& one = as == kind_of_mail::spam ? at.spam : at.ham;
    if (change > 0)
      ++one;
    else if (one > 0)
      --one;
    at.expires = at.spam == 0 && at.ham == 0 ? 0 : expires;
  });
}

void bayes::count_all(std::span<const token> tokens, kind_of_mail as, int change, const state_key& scope,
                      std::int64_t now) {
  const std::int64_t expires = now + std::chrono::seconds(options_.lifetime).count();
  for (const token one : tokens) count(row_of(scope, one), as, change, now, expires);
  // Outlives the tokens, so that a full table does not drop it before them.
  count(scope, as, change, now, expires + std::chrono::seconds(std::chrono::years(10)).count());
}

bool bayes::learn(std::string_view message, kind_of_mail as, std::string_view account, std::int64_t now) {
  const state_key scope = scope_of(account), id = learned_key(message, scope);
  const auto before = table_.find(id, now);
  if (before && (as == kind_of_mail::spam ? before->spam : before->ham) != 0) return false;
  const std::vector<token> tokens = tokens_of(message, key_);
  if (before) {
    count_all(tokens, as == kind_of_mail::spam ? kind_of_mail::ham : kind_of_mail::spam, -1, scope, now);
    table_.erase(id);
  }
  const totals so_far = totals_of(scope, now);
  if ((as == kind_of_mail::spam ? so_far.spam : so_far.ham) >= options_.least_messages) {
    const double evidence = evidence_of(tokens, account, now);
    if ((as == kind_of_mail::spam ? evidence : -evidence) >= margin) return before.has_value();
  }
  count_all(tokens, as, 1, scope, now);
  count(id, as, 1, now, now + std::chrono::seconds(options_.lifetime).count());
  return true;
}

bool bayes::unlearn(std::string_view message, std::string_view account, std::int64_t now) {
  const state_key scope = scope_of(account), id = learned_key(message, scope);
  const auto before = table_.find(id, now);
  if (!before) return false;
  table_.erase(id);
  count_all(tokens_of(message, key_), before->spam != 0 ? kind_of_mail::spam : kind_of_mail::ham, -1, scope, now);
  return true;
}

std::size_t bayes::forget(std::string_view account) {
  const std::uint64_t meant = common_part(scope_of(account));
  return table_.erase_if([meant](const state_key& key) { return common_part(key) == meant; });
}

double bayes::evidence_of(std::span<const token> tokens, std::string_view account, std::int64_t now) const {
  const state_key all = scope_of({}), own = scope_of(account);
  const totals shared = totals_of(all, now), mine = account.empty() ? totals{} : totals_of(own, now);

  // Robinson's estimate: a frequency that few observations draw only so far from the prior.
  const auto estimate = [&](const state_key& scope, const totals& of, token one, double prior, double strength) {
    if (of.spam == 0 && of.ham == 0) return prior;
    const auto at = table_.find(row_of(scope, one), now);
    if (!at) return prior;
    const double s = at->spam / std::max<double>(of.spam, 1), h = at->ham / std::max<double>(of.ham, 1);
    const double n = static_cast<double>(at->spam) + at->ham;
    return s + h == 0 ? prior : (strength * prior + n * (s / (s + h))) / (strength + n);
  };
  double sum = 0;
  std::size_t heard = 0;
  for (const token one : tokens) {
    double p = estimate(all, shared, one, 0.5, prior_strength);
    if (mine.spam + mine.ham != 0) p = estimate(own, mine, one, p, account_strength);
    if (std::abs(p - 0.5) < least_deviation) continue;
    p = std::clamp(p, 0.0001, 0.9999);
    sum += std::log(p / (1 - p));
    ++heard;
  }
  return heard == 0 ? 0 : sum / std::sqrt(static_cast<double>(heard));
}

bayes::opinion bayes::judge(std::string_view message, std::string_view account, std::int64_t now) const {
  const totals shared = learned({}, now), mine = account.empty() ? totals{} : learned(account, now);
  if (shared.spam + mine.spam < options_.least_messages || shared.ham + mine.ham < options_.least_messages) return {};
  const double evidence = evidence_of(tokens_of(message, key_), account, now);
  return {.known = true, .spam = 1 / (1 + std::exp(-evidence)), .evidence = evidence};
}

}  // namespace briefwerk::filter

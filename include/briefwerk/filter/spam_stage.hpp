#pragma once

// Whether a message is spam, by points: rules about header fields, hosts of links, structure and results of
// authentication, and the opinion of a classifier that its users teach (bayes.hpp). The points are the verdict's score,
// which the chain compares with chain_options::junk_score; a header field names each rule that spoke.

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/filter/bayes.hpp"
#include "briefwerk/filter/stage.hpp"

namespace briefwerk::filter {

struct spam_rule {
  std::string name;     // for the header field and the log: letters, digits and "_"
  std::string test;     // one of spam_tests(); else empty, and one of the next two says where the pattern is looked for
  std::string field;    // decoded value of each header field of that name
  bool links = false;   // hosts of links, lower case
  std::string pattern;  // RE2 syntax, found anywhere; "(?i)" for any case
  double score = 0;
};

// What a rule can test that no pattern of a field can. Names and meanings; those about authentication need a stage that
// checks before this one (auth_facts.hpp), and never hit where it did not.
struct spam_test {
  std::string_view name, meaning;
};
std::span<const spam_test> spam_tests() noexcept;

struct spam_options {
  std::vector<spam_rule> rules;
  // May be null. At bayes::spam_evidence its opinion is worth `classifier_score`, and in proportion elsewhere; at most
  // twice as much, at least as much below nothing. The rule is called "classifier".
  std::shared_ptr<const bayes> classifier;
  double classifier_score = 5;
  // Whose own teaching counts for a recipient; not set, for several recipients, or "": what all share.
  std::function<base::task<std::string>(mail::mailbox_address)> account_of{};
  std::string field = "X-Briefwerk-Spam";  // "7.5 loud_subject=2.5 classifier=5.0"; empty: none
  base::metrics* metrics = nullptr;        // spam.rule.<name>, how often each spoke; null: not counted
};

// Thread-safe.
class spam_stage final : public stage {
 public:
  // errc::malformed: `wrong` says which rule cannot be used, and why. References and pointers outlive the stage.
  static base::result<std::shared_ptr<spam_stage>> create(spam_options options, const base::clock& clock,
                                                          std::string& wrong);
  ~spam_stage() override;

  std::string_view name() const noexcept override { return "spam"; }
  hook_set hooks() const noexcept override { return only(hook::message); }
  base::task<verdict> message(session_facts& session, const mail::smtp_envelope& envelope,
                              const message_facts& message) override;

  // Other rules from now on; messages under way keep theirs. Errors as of create(): then the rules stay as they are.
  base::status set_rules(std::vector<spam_rule> rules, std::string& wrong);
  std::size_t rule_count() const;

 private:
  struct compiled;
  using rule_set = std::shared_ptr<const std::vector<compiled>>;
  spam_stage(spam_options options, const base::clock& clock, rule_set rules);
  static base::result<rule_set> compile(std::vector<spam_rule> rules, base::metrics* metrics, std::string& wrong);
  rule_set rules() const;

  const spam_options options_;  // but for its rules
  const base::clock& clock_;
  mutable std::mutex mutex_;
  rule_set rules_;
};

}  // namespace briefwerk::filter

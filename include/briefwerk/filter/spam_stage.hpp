#pragma once

// Whether a message is spam, by points: rules about header fields, hosts of links, structure and results of
// authentication, and the opinion of a classifier that its users teach (bayes.hpp). The points are the verdict's score,
// which the chain compares with chain_options::junk_score; a header field names each rule that spoke.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/result.hpp"
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

// no_date, no_message_id, no_subject, no_from, html_only, loud_subject (no lower-case letter in it), spf_fail,
// dkim_pass, dmarc_pass, dmarc_fail. The last four need a stage that checks before this one (auth_facts.hpp).
std::span<const std::string_view> spam_tests() noexcept;

struct spam_options {
  std::vector<spam_rule> rules;
  // May be null. At bayes::spam_evidence its opinion is worth `classifier_score`, and in proportion elsewhere; at most
  // twice as much, at least as much below nothing. The rule is called "classifier".
  std::shared_ptr<const bayes> classifier;
  double classifier_score = 5;
  // Whose own teaching counts for a recipient; not set, for several recipients, or "": what all share.
  std::function<std::string(const mail::mailbox_address&)> account_of{};
  std::string field = "X-Briefwerk-Spam";  // "7.5 loud_subject=2.5 classifier=5.0"; empty: none
};

class spam_stage final : public stage {
 public:
  // errc::malformed: `wrong` says which rule cannot be used, and why. The clock outlives the stage.
  static base::result<std::shared_ptr<spam_stage>> create(spam_options options, const base::clock& clock,
                                                          std::string& wrong);
  ~spam_stage() override;

  std::string_view name() const noexcept override { return "spam"; }
  hook_set hooks() const noexcept override { return only(hook::message); }
  base::task<verdict> message(session_facts& session, const mail::smtp_envelope& envelope,
                              const message_facts& message) override;

 private:
  struct compiled;
  spam_stage(spam_options options, const base::clock& clock, std::unique_ptr<compiled> rules);

  spam_options options_;
  const base::clock& clock_;
  std::unique_ptr<compiled> rules_;
};

}  // namespace briefwerk::filter

#pragma once

// The chain asks its stages at each hook and combines their verdicts.
//
// Asking: all stages of a hook run side by side on the session's thread; one that names others in `after` starts when
// those have ended. Once a stage has asked to discard, defer or reject, no further stage starts; those that run are
// waited for, each within its time limit.
//
// Combining, whatever the order in which the answers came:
//   1. the most severe action acts, with the code and text of the first stage, in the order of add(), that asked for it;
//   2. scores add up, header additions and edits gather, in the order of the stages, whatever acts;
//   3. what was said at connect, hello, mail and rcpt counts again at message, so that a stage may judge early: a
//      junk, a quarantine, a score or a field reaches the message. (A discard at rcpt counts for the message as well.)
//   4. a message whose scores come to chain_options::junk_score is junk, to reject_score is rejected.
//
// A stage that throws, or that has no answer when its time limit passes, counts by its failure mode. The late answer is
// ignored. If session_facts::owner is set, the hook answers at once and the owner is kept until the late stage has
// ended; else the hook answers when it has ended.
//
// Wiring belongs to main(); the chain is immutable once sessions run, and outlives them. Thread-safe then.

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "briefwerk/base/metrics.hpp"
#include "briefwerk/filter/stage.hpp"

namespace briefwerk::filter {

enum class failure_mode : std::uint8_t { open, defer };

struct stage_options {
  failure_mode on_failure = failure_mode::defer;
  std::chrono::milliseconds limit{30000};  // of one hook; 0: none. Needs an executor with a clock
  std::optional<scope> only{};             // nothing: everywhere
  // Where not empty, only mail of these, in lower case. Domains: of the recipient (inbound; at message: of any
  // recipient; not asked before rcpt), or of who logged in (submission). Accounts: the same by whole address.
  std::vector<std::string> domains{}, accounts{};
  std::vector<std::string> after{};        // names of stages; those that are not asked at the hook count as ended
  bool dry_run = false;                    // ask and report, but accept
};

// One stage's verdict at one hook, for logs and for people who want to know why.
struct decision {
  hook at = hook::connect;
  std::string_view stage;
  const filter::verdict* verdict = nullptr;
  bool dry_run = false, failed = false, timed_out = false;
  std::chrono::nanoseconds took{};
  const mail::smtp_envelope* envelope = nullptr;         // from mail on
  const mail::envelope_recipient* recipient = nullptr;   // at rcpt
};

struct chain_options {
  // Called with each verdict other than a plain accept, in the order of the stages; must not throw.
  std::function<void(const session_facts&, const decision&)> observer{};
  // filter.<stage>.asked, .failed, .timed_out, one for each action, and the histogram .time; null: not counted.
  base::metrics* metrics = nullptr;
  double junk_score = 0, reject_score = 0;  // 0: none
};

class chain {
 public:
  chain() = default;
  explicit chain(chain_options options) : options_(std::move(options)) {}

  // A stage named in `after` must have been added before.
  void add(std::shared_ptr<stage> stage, stage_options options = {});
  std::size_t size() const noexcept { return stages_.size(); }
  std::vector<std::string> names() const;  // in the order of add()

  // The facts, envelope and message are kept alive by the caller until the answer (see session_facts::owner).
  base::task<verdict> connect(session_facts& session) const;
  base::task<verdict> hello(session_facts& session) const;
  base::task<verdict> mail(session_facts& session, const mail::smtp_envelope& envelope) const;
  base::task<verdict> rcpt(session_facts& session, const mail::smtp_envelope& envelope,
                           const mail::envelope_recipient& recipient) const;
  // One that accepts nothing less than the whole: what earlier hooks said is forgotten afterwards.
  base::task<verdict> message(session_facts& session, const mail::smtp_envelope& envelope,
                              const message_facts& message) const;

  // Before the first octet of a message: who has to see it arrive. Null: nobody. Kept in the session until the next
  // message begins or forget_message().
  std::shared_ptr<message_observer> observe(session_facts& session, const mail::smtp_envelope& envelope) const;
  // The transaction is gone without a message.
  static void forget_message(session_facts& session) noexcept;

  // All stages at all hooks, whatever they say, as if `session` brought this message: one answer for each stage and
  // hook. `session.trial` is set. The message needs no observers.
  struct explanation {
    hook at;
    std::string stage;
    filter::verdict verdict;
    bool dry_run = false, failed = false, timed_out = false;
    std::chrono::nanoseconds took{};
  };
  struct explained {
    std::vector<explanation> stages;
    verdict sum;  // of those that are no dry run
  };
  base::task<explained> explain(session_facts& session, const mail::smtp_envelope& envelope,
                                const message_facts& message) const;

 private:
  struct entry;
  class run;
  struct question;
  base::task<verdict> ask(question what) const;
  void judge_score(verdict& sum) const;

  std::vector<std::shared_ptr<const entry>> stages_;
  chain_options options_;
};

// Merges `next` into `sum` by the chain's rule. Exposed since embedders combine verdicts as well.
void combine(verdict& sum, verdict next);

namespace detail {

template <hook At, class Function>
class lambda_stage final : public stage {
 public:
  lambda_stage(std::string name, Function judge) : name_(std::move(name)), judge_(std::move(judge)) {}
  std::string_view name() const noexcept override { return name_; }
  hook_set hooks() const noexcept override { return only(At); }
  base::task<verdict> connect(session_facts& s) override { co_return answer<hook::connect>(s); }
  base::task<verdict> hello(session_facts& s) override { co_return answer<hook::hello>(s); }
  base::task<verdict> mail(session_facts& s, const mail::smtp_envelope& e) override {
    co_return answer<hook::mail>(s, e);
  }
  base::task<verdict> rcpt(session_facts& s, const mail::smtp_envelope& e, const mail::envelope_recipient& r) override {
    co_return answer<hook::rcpt>(s, e, r);
  }
  base::task<verdict> message(session_facts& s, const mail::smtp_envelope& e, const message_facts& m) override {
    co_return answer<hook::message>(s, e, m);
  }

 private:
  template <hook Here, class... Facts>
  verdict answer(Facts&... facts) {
    if constexpr (Here == At) return judge_(facts...);
    else return verdict::accepted();
  }

  std::string name_;
  Function judge_;
};

}  // namespace detail

// Lambdas as stages: each takes what the hook of the name takes and gives a verdict.
template <class Function>
  requires std::is_invocable_r_v<verdict, Function, session_facts&>
std::shared_ptr<stage> connect_stage(std::string name, Function judge) {
  return std::make_shared<detail::lambda_stage<hook::connect, Function>>(std::move(name), std::move(judge));
}
template <class Function>
  requires std::is_invocable_r_v<verdict, Function, session_facts&>
std::shared_ptr<stage> hello_stage(std::string name, Function judge) {
  return std::make_shared<detail::lambda_stage<hook::hello, Function>>(std::move(name), std::move(judge));
}
template <class Function>
  requires std::is_invocable_r_v<verdict, Function, session_facts&, const mail::smtp_envelope&>
std::shared_ptr<stage> mail_stage(std::string name, Function judge) {
  return std::make_shared<detail::lambda_stage<hook::mail, Function>>(std::move(name), std::move(judge));
}
template <class Function>
  requires std::is_invocable_r_v<verdict, Function, session_facts&, const mail::smtp_envelope&,
                                 const mail::envelope_recipient&>
std::shared_ptr<stage> rcpt_stage(std::string name, Function judge) {
  return std::make_shared<detail::lambda_stage<hook::rcpt, Function>>(std::move(name), std::move(judge));
}
template <class Function>
  requires std::is_invocable_r_v<verdict, Function, session_facts&, const mail::smtp_envelope&, const message_facts&>
std::shared_ptr<stage> message_stage(std::string name, Function judge) {
  return std::make_shared<detail::lambda_stage<hook::message, Function>>(std::move(name), std::move(judge));
}

}  // namespace briefwerk::filter

#pragma once

// The chain runs its stages in order at each hook and combines their verdicts:
//   1. the most severe action acts, with the code and text of the first stage that asked for it;
//   2. scores add up, header additions gather in the order of the stages, whatever acts;
//   3. a defer or reject ends the hook: later stages are not asked.
// A stage that throws counts by its failure mode. Wiring belongs to main(); the chain is immutable once sessions run.

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "briefwerk/filter/stage.hpp"

namespace briefwerk::filter {

enum class failure_mode : std::uint8_t { open, defer };

struct stage_options {
  failure_mode on_failure = failure_mode::defer;
  std::optional<scope> only;  // nothing: everywhere
  bool dry_run = false;       // ask and report, but accept
};

class chain {
 public:
  // Called with each verdict other than a plain accept; must not throw.
  using observer = std::function<void(const session_facts&, std::string_view stage, const verdict&, bool dry_run)>;

  chain() = default;
  explicit chain(observer watch) : observer_(std::move(watch)) {}

  void add(std::shared_ptr<stage> stage, stage_options options = {});
  std::size_t size() const noexcept { return stages_.size(); }

  // The facts, envelope and message are kept alive by the caller until the answer.
  base::task<verdict> connect(session_facts& session) const;
  base::task<verdict> hello(session_facts& session) const;
  base::task<verdict> mail(session_facts& session, const mail::smtp_envelope& envelope) const;
  base::task<verdict> rcpt(session_facts& session, const mail::smtp_envelope& envelope,
                           const mail::envelope_recipient& recipient) const;
  base::task<verdict> message(session_facts& session, const mail::smtp_envelope& envelope,
                              const message_facts& message) const;

 private:
  struct entry {
    std::shared_ptr<filter::stage> stage;
    stage_options options;
  };
  template <class Hook>
  base::task<verdict> run(session_facts& session, Hook hook) const;

  std::vector<entry> stages_;
  observer observer_;
};

// Merges `next` into `sum` by the chain's rule. Exposed since embedders combine verdicts as well.
void combine(verdict& sum, verdict next);

// A lambda as a stage that judges whole messages: verdict(session_facts&, const mail::smtp_envelope&, const message_facts&).
template <class Function>
  requires std::is_invocable_r_v<verdict, Function, session_facts&, const mail::smtp_envelope&, const message_facts&>
std::shared_ptr<stage> message_stage(std::string name, Function judge) {
  class adapter final : public stage {
   public:
    adapter(std::string name, Function judge) : name_(std::move(name)), judge_(std::move(judge)) {}
    std::string_view name() const noexcept override { return name_; }
    base::task<verdict> message(session_facts& session, const mail::smtp_envelope& envelope,
                                const message_facts& message) override {
      co_return judge_(session, envelope, message);
    }

   private:
    std::string name_;
    Function judge_;
  };
  return std::make_shared<adapter>(std::move(name), std::move(judge));
}

// The same for recipients: verdict(session_facts&, const mail::smtp_envelope&, const mail::envelope_recipient&).
template <class Function>
  requires std::is_invocable_r_v<verdict, Function, session_facts&, const mail::smtp_envelope&,
                                 const mail::envelope_recipient&>
std::shared_ptr<stage> rcpt_stage(std::string name, Function judge) {
  class adapter final : public stage {
   public:
    adapter(std::string name, Function judge) : name_(std::move(name)), judge_(std::move(judge)) {}
    std::string_view name() const noexcept override { return name_; }
    base::task<verdict> rcpt(session_facts& session, const mail::smtp_envelope& envelope,
                             const mail::envelope_recipient& recipient) override {
      co_return judge_(session, envelope, recipient);
    }

   private:
    std::string name_;
    Function judge_;
  };
  return std::make_shared<adapter>(std::move(name), std::move(judge));
}

}  // namespace briefwerk::filter

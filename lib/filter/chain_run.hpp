#pragma once

// One hook of one session, from the first stage asked to the last answer.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/filter/chain.hpp"

namespace briefwerk::filter {

struct chain::entry {
  std::shared_ptr<filter::stage> stage;
  std::string name;
  hook_set hooks = all_hooks;
  std::size_t index = 0;
  stage_options options;
  std::vector<std::size_t> after;  // indexes of entries before this one

  struct counters {
    base::counter *asked = nullptr, *failed = nullptr, *timed_out = nullptr;
    std::array<base::counter*, static_cast<std::size_t>(action::reject) + 1> said{};
    base::histogram* time = nullptr;
  } counted;

  bool wants(const question& what) const;
};

struct chain::question {
  hook at;
  session_facts& session;
  const mail::smtp_envelope* envelope = nullptr;
  const mail::envelope_recipient* recipient = nullptr;
  std::string_view octets{};
  std::vector<explanation>* explain = nullptr;  // ask all, and tell
};

// Shared by the chain of coroutines that asks and by each stage's; the last of them ends it. All run on one executor.
class chain::run final : public std::enable_shared_from_this<chain::run> {
 public:
  run(const chain& of, const question& what, base::executor* where);

  void add(std::shared_ptr<const entry> one, std::shared_ptr<message_observer> observer);
  base::task<void> finish();
  // Reports each verdict, and adds them up.
  void sum_up(verdict& sum);

 private:
  enum class state : std::uint8_t { waiting, running, late, ended };
  struct slot {
    std::shared_ptr<const entry> one;
    std::shared_ptr<message_observer> observer;
    message_facts message;
    state now = state::waiting;
    bool asked = false, failed = false, timed_out = false;
    verdict said;
    std::chrono::steady_clock::time_point begun;
    std::chrono::nanoseconds took{};
    std::unique_ptr<base::timer> limit;
  };

  static base::task<void> ask(std::shared_ptr<run> all, std::size_t index);
  base::task<verdict> answer_of(slot& from);
  void start_ready();
  bool is_ready(const slot& one) const noexcept;
  void gather_edits(slot& into) const;
  void watch(std::size_t index);
  void expired(std::size_t index);
  void ended(std::size_t index, verdict said, std::string_view failure);
  void settle(slot& one);
  void wake_if_done();

  std::function<void(const session_facts&, const decision&)> const* observer_;
  question what_;
  base::executor* where_;
  std::vector<slot> slots_;
  std::size_t running_ = 0;  // started and not yet answered for
  bool starting_ = false, stopped_ = false;
  std::optional<base::completion<base::status>> waiter_;
  std::shared_ptr<void> kept_;  // what late stages look at
};

}  // namespace briefwerk::filter

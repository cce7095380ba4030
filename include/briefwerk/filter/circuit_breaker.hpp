#pragma once

// Remembers that a service hangs, so that not every session waits for it up to its time limit. After `time_outs`
// questions in a row without an answer in time it is not asked for `pause`; then one question goes through. An answer
// ends it, silence begins the next pause, and what fails at once (nobody listens) says nothing about hanging: the next
// question tries again.
//
// One for each kind of question: an answer to another kind is no sign of health.

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"

namespace briefwerk::filter {

struct circuit_breaker_options {
  std::uint32_t time_outs = 3;
  std::chrono::milliseconds pause{30000};  // 0: it is always asked
  const base::clock* time = &base::system_clock();
  base::log_sink* log = &base::null_log();  // filter.hangs, filter.answers_again
  base::metrics* metrics = nullptr;         // filter.<stage>.hangs, .skipped; null: not counted
};

// Thread-safe. Outlives its questions.
class circuit_breaker {
 public:
  // `stage` and `what` (is asked) are for log and counters.
  circuit_breaker(std::string stage, std::string what, circuit_breaker_options options);
  circuit_breaker(const circuit_breaker&) = delete;

  // From before it is asked to its end, which counts as an answer if one was heard and nothing failed after it.
  class question {
   public:
    question(question&& other) noexcept
        : of_(std::exchange(other.of_, nullptr)), probe_(other.probe_), outcome_(other.outcome_) {}
    question& operator=(question&&) = delete;
    ~question() {
      if (of_ != nullptr) of_->ended(*this);
    }
    void heard() noexcept { outcome_ = outcome::answered; }
    void timed_out() noexcept { outcome_ = outcome::timed_out; }
    void failed() noexcept { outcome_ = outcome::nothing; }
    // For who waits in a line between ask() and the service: false when a pause has begun meanwhile.
    bool is_still_asked() const;

   private:
    friend class circuit_breaker;
    enum class outcome : std::uint8_t { nothing, answered, timed_out };
    question(circuit_breaker* of, bool probe) noexcept : of_(of), probe_(probe) {}
    circuit_breaker* of_;
    bool probe_;
    outcome outcome_ = outcome::nothing;
  };
  // Nothing: it hangs, and is not to be asked now.
  std::optional<question> ask();

 private:
  void ended(const question& one) noexcept;

  const std::string stage_, what_;
  const circuit_breaker_options options_;
  base::counter* hangs_ = nullptr;
  base::counter* skipped_ = nullptr;
  mutable std::mutex mutex_;
  std::uint32_t time_outs_ = 0;             // in a row
  std::optional<base::steady_time> until_;  // of the pause; nothing: it answers
  bool probed_ = false;                     // a question is on its way that may end it
};

}  // namespace briefwerk::filter

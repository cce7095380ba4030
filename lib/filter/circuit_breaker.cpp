#include "briefwerk/filter/circuit_breaker.hpp"

namespace briefwerk::filter {

circuit_breaker::circuit_breaker(std::string stage, std::string what, circuit_breaker_options options)
    : stage_(std::move(stage)), what_(std::move(what)), options_(options) {
  if (options_.metrics == nullptr) return;
  hangs_ = &options_.metrics->get_counter("filter." + stage_ + ".hangs");
  skipped_ = &options_.metrics->get_counter("filter." + stage_ + ".skipped");
}

std::optional<circuit_breaker::question> circuit_breaker::ask() {
  const std::lock_guard lock(mutex_);
  if (!until_) return question(this, false);
  if (probed_ || options_.time->steady() < *until_) {
    if (skipped_ != nullptr) skipped_->add();
    return std::nullopt;
  }
  probed_ = true;
  return question(this, true);
}

bool circuit_breaker::question::is_still_asked() const {
  const std::lock_guard lock(of_->mutex_);
  if (probe_ || !of_->until_) return true;
  if (of_->skipped_ != nullptr) of_->skipped_->add();
  return false;
}

void circuit_breaker::ended(const question& one) noexcept {
  using outcome = question::outcome;
  bool hangs = false, answers_again = false;
  {
    const std::lock_guard lock(mutex_);
    if (one.probe_) probed_ = false;
    if (one.outcome_ == outcome::answered) {
      time_outs_ = 0;
      answers_again = until_.has_value();
      until_.reset();
    } else if (one.outcome_ == outcome::timed_out && options_.pause.count() != 0) {
      // Those that were asked before the pause began do not prolong it.
      hangs = one.probe_ || (!until_ && ++time_outs_ >= options_.time_outs);
      if (hangs) until_ = options_.time->steady() + options_.pause;
    }
  }
  if (hangs && hangs_ != nullptr) hangs_->add();
  if (hangs) {
    options_.log->log(base::log_level::warning, "filter.hangs",
                      {{"stage", stage_}, {"hook", what_},
                       {"seconds", std::chrono::ceil<std::chrono::seconds>(options_.pause).count()}});
  }
  if (answers_again) {
    options_.log->log(base::log_level::info, "filter.answers_again", {{"stage", stage_}, {"hook", what_}});
  }
}

}  // namespace briefwerk::filter

#include "apps/briefwerkd/log_keeper.hpp"

#include <chrono>
#include <exception>

#include "apps/store/open_store.hpp"
#include "briefwerk/base/clock.hpp"

namespace briefwerk::apps {

log_keeper::log_keeper(const config& conf, base::log_sink& log, const base::crypto& crypto)
    : path_(conf.log.file),
      options_{std::chrono::days(conf.log.retention_days), std::chrono::days(conf.log.pseudonymise_days)},
      log_(log) {
  if (path_ == "-" || conf.log.retention_days == 0) return;
  if (const auto key = derived_key(conf.data, crypto, "pseudonyms in log files")) pseudonyms_ = *key;
  else options_.with_addresses = {};
  thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
}

void log_keeper::run(std::stop_token stop) {
  using namespace std::chrono_literals;
  while (!stop.stop_requested()) {
    try {
      const auto done = base::tend_log_files(path_, options_, base::system_clock().now(), log_, pseudonyms_);
      if (!done) log_.log(base::log_level::warning, "log.not_tended", {{"reason", done.error().message()}});
    } catch (const std::exception&) {
      log_.log(base::log_level::warning, "log.not_tended", {{"reason", "not enough memory"}});
    }
    std::unique_lock lock(mutex_);
    waiting_.wait_for(lock, stop, 10min, [] { return false; });
  }
}

}  // namespace briefwerk::apps

#include "apps/briefwerkd/maintenance.hpp"

#include <exception>

namespace briefwerk::apps {

using base::log_level;

maintenance::maintenance(store::local_store& store, base::log_sink& log, options how)
    : store_(store), log_(log), options_(how), thread_([this](std::stop_token stop) { run(std::move(stop)); }) {}

void maintenance::run(std::stop_token stop) {
  for (auto wait = options_.first;; wait = options_.every) {
    {
      std::unique_lock lock(mutex_);
      waiting_.wait_for(lock, stop, wait, [] { return false; });
    }
    if (stop.stop_requested()) return;
    try {
      // What was freed is in the store's own event.
      if (const auto done = store_.collect_garbage(options_.grace); !done)
        log_.log(log_level::error, "store.not_collected", {{"reason", done.error().message()}});
    } catch (const std::exception&) {
      log_.log(log_level::error, "store.not_collected", {{"reason", "not enough memory"}});
    }
  }
}

}  // namespace briefwerk::apps

#pragma once

// Keeps log files as long as the configuration wants and no longer. On a thread of its own.

#include <condition_variable>
#include <mutex>
#include <thread>

#include "apps/config/config.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/log_files.hpp"

namespace briefwerk::apps {

class log_keeper {
 public:
  // The log outlives this.
  log_keeper(const config& conf, base::log_sink& log, const base::crypto& crypto);
  ~log_keeper() = default;

 private:
  void run(std::stop_token stop);

  std::string path_;
  base::log_files_options options_;
  base::siphash_key pseudonyms_{};
  base::log_sink& log_;
  std::mutex mutex_;
  std::condition_variable_any waiting_;
  std::jthread thread_;  // ends first
};

}  // namespace briefwerk::apps

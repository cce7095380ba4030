#pragma once

// What the store needs from time to time: space of messages that are gone is given back. On a thread of its own.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "briefwerk/base/log.hpp"
#include "briefwerk/store/local_store.hpp"

namespace briefwerk::apps {

class maintenance {
 public:
  struct options {
    std::chrono::milliseconds first = std::chrono::minutes(10);  // after the start, when clients have come back
    std::chrono::milliseconds every = std::chrono::hours(6);
    // Sessions may hold a message that another one has removed, until their client has taken it.
    std::chrono::milliseconds grace = std::chrono::hours(24);
  };
  // References outlive this.
  maintenance(store::local_store& store, base::log_sink& log, options how);
  ~maintenance() = default;  // a collection under way ends first

 private:
  void run(std::stop_token stop);

  store::local_store& store_;
  base::log_sink& log_;
  const options options_;
  std::mutex mutex_;
  std::condition_variable_any waiting_;
  std::jthread thread_;  // ends first
};

}  // namespace briefwerk::apps

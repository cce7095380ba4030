#pragma once

// What the login guard needs from time to time: ends of bans are noticed, and a packet filter is told of changes. On a
// thread of its own.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "briefwerk/base/log.hpp"
#include "briefwerk/server/ban_export.hpp"
#include "briefwerk/server/login_guard.hpp"

namespace briefwerk::apps {

class guard_upkeep {
 public:
  struct options {
    std::vector<std::string> hook;  // program and arguments; empty: none
    std::chrono::milliseconds hook_every{10000};
    server::nft_options nft;
    std::chrono::milliseconds sweep_every{10000};
  };
  // References outlive this.
  guard_upkeep(server::login_guard& guard, base::log_sink& log, options how);

 private:
  void run(std::stop_token stop);
  void run_hook();

  server::login_guard& guard_;
  base::log_sink& log_;
  const options options_;
  std::uint64_t told_ = 0;  // the revision that the hook knows
  std::mutex mutex_;
  std::condition_variable_any waiting_;
  std::jthread thread_;  // ends first
};

// Runs a program with this text on its standard input; its own output is dropped. Answers its exit code, or that of a
// shell (128 and its number) where a signal ended it. timed_out: it was killed.
base::result<int> feed_program(const std::vector<std::string>& command, std::string_view input,
                               std::chrono::milliseconds within);

}  // namespace briefwerk::apps

#pragma once

// Keeps one generation of workers at work: starts it, starts it again when it ends, and begins a new one when the
// folder of signatures has changed. The old one goes on until the new one is ready, and then ends what it has begun, so
// that no scan is lost: for that time, two databases are in memory.

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "apps/scand/settings.hpp"

namespace briefwerk::scand {

class supervisor {
 public:
  explicit supervisor(const settings& how) : how_(how) {}
  // Until SIGTERM, or the end of standard input; returns the exit code.
  int run();

 private:
  using clock = std::chrono::steady_clock;
  struct generation {
    pid_t process = 0;
    int ready = -1;  // read end of its pipe, until it was heard
    clock::time_point since{};
  };

  bool prepare();
  bool listen();
  bool start(generation& where);
  void hear_ready();
  void bury();
  void look_at_folder();
  void wait_for_event(int signals, bool& ending);
  void end();

  const settings& how_;
  int listener_ = -1;
  generation current_, next_;
  std::vector<pid_t> draining_;
  std::string seen_;  // names, sizes and times of the folder's files, as loaded last
  clock::time_point not_before_{}, looked_{};
  std::chrono::seconds pause_{1};
};

}  // namespace briefwerk::scand

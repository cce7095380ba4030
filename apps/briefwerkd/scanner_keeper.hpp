#pragma once

// Starts the scanner for malware, starts it again when it ends, with growing pauses, and ends it. What it says goes to
// the log. On a thread of its own.

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "apps/briefwerkd/starter.hpp"
#include "briefwerk/base/log.hpp"

namespace briefwerk::apps {

class scanner_keeper {
 public:
  struct options {
    std::unique_ptr<starter> by;  // of a program that ends when its standard input does, and writes lines "LEVEL TEXT"
    std::string folder;           // made for it, for this user only; empty: none
  };
  // The log outlives this.
  scanner_keeper(base::log_sink& log, options how);
  ~scanner_keeper();

 private:
  struct program {
    pid_t process = 0;
    int input = -1, output = -1;
  };
  void run();
  bool start(program& made);
  // Until it has ended, or this shall.
  void watch(const program& one);
  void say_lines(std::string& text);
  void end(program& one);
  bool pause(std::chrono::milliseconds time) const;  // false: it shall end

  base::log_sink& log_;
  const options options_;
  int wake_ = -1;  // eventfd: readable when this shall end
  std::thread thread_;
};

}  // namespace briefwerk::apps

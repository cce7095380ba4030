#pragma once

// Programs that the server starts: by itself, or through a process that keeps the rights of root when the server gives
// them up.

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "briefwerk/net/error.hpp"

namespace briefwerk::apps {

// Signals as a program expects them, no environment but a PATH, errors to /dev/null; so goes `output` if it is -1. An
// errno, or 0.
int spawn(pid_t& child, const std::vector<std::string>& command, int input, int output = -1);

// A status as of waitpid(2), once the program has ended; it is killed after `patience`.
int wait_for_end(pid_t process, std::chrono::milliseconds patience);

// Starts and ends one program. One thread at a time.
class starter {
 public:
  virtual ~starter() = default;
  virtual const std::string& program() const noexcept = 0;
  // As spawn().
  virtual int start(pid_t& child, int input, int output) = 0;
  // As wait_for_end().
  virtual int end(pid_t process, std::chrono::milliseconds patience) = 0;
};

std::unique_ptr<starter> make_starter(std::vector<std::string> command);

// For a server that runs as root and will not for long: a process made by fork(2), which does what it is asked here and
// nothing else, and ends with this object or with the server. To be called while there is one thread.
net::explained<std::unique_ptr<starter>> make_root_starter(std::vector<std::string> command);

}  // namespace briefwerk::apps

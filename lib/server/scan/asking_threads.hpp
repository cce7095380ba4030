#pragma once

// Threads that ask a scanner and wait for its answer, while the sessions go on.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "briefwerk/filter/scanner.hpp"
#include "briefwerk/net/blocking_socket.hpp"
#include "briefwerk/server/scanners.hpp"

namespace briefwerk::server {

class asking_threads : public filter::scanner {
 public:
  explicit asking_threads(scanner_options options);
  base::task<filter::scan_answer> scan(std::string_view message) override;

 protected:
  using deadline = net::blocking_socket::deadline;
  // On one of the threads.
  virtual filter::scan_answer ask(std::string_view message, deadline until) = 0;
  void start();
  void stop();  // by the destructor of what implements ask()
  const scanner_options& options() const noexcept { return options_; }

 private:
  struct question {
    std::string_view message;
    deadline until;
    filter::scan_answer* answer;
    base::completion<base::status> done;
  };
  void run(std::stop_token stop);
  filter::scan_answer answer_of(const question& one) noexcept;

  scanner_options options_;
  std::mutex mutex_;
  std::condition_variable_any waiting_;
  std::deque<question> line_;
  std::vector<std::jthread> threads_;
};

inline filter::scan_answer scan_failed(std::string why) { return {filter::scan_outcome::failed, std::move(why)}; }

}  // namespace briefwerk::server

#pragma once

// Threads that ask a scanner and wait for its answer, while the sessions go on.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "briefwerk/base/result.hpp"
#include "briefwerk/filter/circuit_breaker.hpp"
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
  // On one of the threads. timed_out where it did not answer until then.
  virtual base::result<filter::scan_answer> ask(std::string_view message, deadline until) = 0;
  void start();
  void stop();  // by the destructor of what implements ask()
  const scanner_options& options() const noexcept { return options_; }

 private:
  struct question {
    std::string_view message;
    deadline until;
    filter::scan_answer* answer;
    filter::circuit_breaker::question asking;
    base::completion<base::status> done;
  };
  void run(std::stop_token stop);
  filter::scan_answer answer_of(question& one) noexcept;

  scanner_options options_;
  filter::circuit_breaker breaker_;
  std::mutex mutex_;
  std::condition_variable_any waiting_;
  std::deque<question> line_;
  std::vector<std::jthread> threads_;
};

// The scanner hung up before it had answered.
inline bool broke_off(std::error_code why) {
  return why == base::errc::end_of_stream || why == std::errc::connection_reset || why == std::errc::broken_pipe;
}

inline filter::scan_answer scan_failed(std::string why) { return {filter::scan_outcome::failed, std::move(why)}; }

}  // namespace briefwerk::server

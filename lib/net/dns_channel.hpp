#pragma once

// One c-ares channel on one io_thread, with its cache. Everything but the constructor runs on that thread.

#include <ares.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "briefwerk/net/dns_resolver.hpp"
#include "net/dns_cache.hpp"
#include "net/event_loop.hpp"

namespace briefwerk::net {

class dns_channel : public std::enable_shared_from_this<dns_channel> {
 public:
  // `result` because a completion that is dropped has to be able to say so.
  using answer_completion = base::completion<result<base::dns_answer>>;

  dns_channel(io_thread& thread, const dns_resolver_options& options);
  ~dns_channel();
  // c-ares' text, or empty.
  std::string open();

  io_thread& thread() const noexcept { return thread_; }
  void ask(const std::string& wire_name, base::dns_type type, answer_completion done);
  // Answers everybody who waits; further questions fail.
  void close();

 private:
  struct question {
    dns_channel* channel;
    std::string key, wire_name;
    base::dns_type type;
    std::vector<answer_completion> waiting;
  };
  struct watched {
    explicit watched(io_thread::impl& loop, int fd) : socket(loop.context, fd) {}
    loop_descriptor socket;
    bool wants_read = false, wants_write = false, reading = false, writing = false;
  };

  static void on_answer(void* data, int status, int timeouts, unsigned char* message, int length);
  static void on_socket_state(void* data, ares_socket_t fd, int readable, int writable);
  void finish(question& asked, base::dns_answer answer);
  void watch(const std::shared_ptr<watched>& one, ares_socket_t fd);
  void on_ready(const std::shared_ptr<watched>& one, ares_socket_t fd, bool write);
  void arm();

  io_thread& thread_;
  io_thread::impl& loop_;
  dns_resolver_options options_;
  ares_channel channel_ = nullptr;
  loop_timer timer_;
  bool timer_runs_ = false;
  dns_cache cache_;
  std::unordered_map<std::string, std::unique_ptr<question>> asked_;
  std::unordered_map<ares_socket_t, std::shared_ptr<watched>> sockets_;
};

}  // namespace briefwerk::net

#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "apps/config/config.hpp"

namespace briefwerk::apps::ctl {

using json = nlohmann::ordered_json;

// What ends a sub-command with a message for the administrator and exit code 1.
class failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The server took the connection and says nothing. Exit code 2.
class no_answer final : public failure {
 public:
  using failure::failure;
};

// The running server, over its control socket; or, where none runs, the store itself.
class connection {
 public:
  virtual ~connection() = default;
  // The fields of the answer; throws failure with the server's words.
  json ask(const json& request);

 protected:
  virtual std::string exchange(std::string request) = 0;
};

// Throws failure when neither can be had. A server that works on a request says so every few seconds (see control_server):
// one that is silent for longer than `silence` hangs, and no_answer is thrown. Zero: there is no limit.
std::unique_ptr<connection> connect(const config& conf, std::chrono::seconds silence);

}  // namespace briefwerk::apps::ctl

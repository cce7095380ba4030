#pragma once

// The complete server: builds the parts from the configuration and connects them.

#include <chrono>
#include <memory>

#include "apps/config/config.hpp"
#include "briefwerk/net/error.hpp"

namespace briefwerk::apps {

class daemon {
 public:
  // Opens the certificates, binds all addresses, becomes the configured user, opens the log and the store: in this order, so
  // that what needs rights is done with them and nothing else is.
  static net::explained<std::unique_ptr<daemon>> create(config conf);
  ~daemon();
  daemon(const daemon&) = delete;
  daemon& operator=(const daemon&) = delete;

  // Serves. Returns at once.
  void start();
  // Reads the certificates and the rules about spam again, and opens the log file anew (SIGHUP).
  void reload();
  // Closes the listeners, lets sessions end for so long, then cuts them off.
  void stop(std::chrono::seconds grace);

 private:
  struct impl;
  explicit daemon(std::unique_ptr<impl> made) noexcept;
  std::unique_ptr<impl> impl_;
};

}  // namespace briefwerk::apps

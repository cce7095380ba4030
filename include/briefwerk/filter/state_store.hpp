#pragma once

// Where the small state of stages lasts over a restart: counters and times of greylisting and rate limits. It lives in
// memory (state_table) and is written behind in batches; a crash loses the last seconds of it, which costs a repeated
// delay or a few forgotten counts and never mail. A complete server keeps it in store::state_rows.

#include <functional>
#include <string>
#include <string_view>

#include "briefwerk/base/result.hpp"

namespace briefwerk::filter {

// The rows of one table. Used from one thread at a time; may block.
class state_store {
 public:
  virtual ~state_store() = default;
  // Each row that is kept, once.
  virtual base::status load(const std::function<void(std::string_view key, std::string_view value)>& each) = 0;
  virtual void put(std::string key, std::string value) = 0;
  virtual void erase(std::string key) = 0;
};

}  // namespace briefwerk::filter

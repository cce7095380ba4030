#pragma once

// What a part of the server keeps in memory and wants to find again after a restart: bans, counters, histories. Small
// rows under short keys, written behind its back in batches: a change costs the caller a map entry, a batch one commit,
// and a crash loses what came after the last batch.
//
//   auto rows = store.state("guard");
//   (void)rows->load([&](std::string_view key, std::string_view value) { … });
//   rows->put("a192.0.2.1", "…");

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "briefwerk/base/result.hpp"

namespace briefwerk::store {

// Thread-safe.
class state_rows {
 public:
  virtual ~state_rows() = default;  // writes what is pending

  // Calls each row, in the order of the keys; for the start, before the first change. Blocks on the disk.
  virtual base::status load(const std::function<void(std::string_view key, std::string_view value)>& each) = 0;

  // The last word on a key counts. Keys up to limits::store_key octets. When more than limits::state_pending keys wait
  // (the disk does not keep up), further keys are dropped and counted as store.state.dropped.
  virtual void put(std::string key, std::string value) = 0;
  virtual void erase(std::string key) = 0;

  // Returns when all changes so far are durable. Blocks; not for a thread that serves sessions.
  virtual base::status flush() = 0;
};

// Rows that are gone with the object; the reference for tests.
std::unique_ptr<state_rows> make_memory_state();

}  // namespace briefwerk::store

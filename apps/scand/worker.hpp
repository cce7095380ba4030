#pragma once

// One process that scans, message after message, until it is told to end.

#include <atomic>
#include <cstdint>
#include <string>

#include "apps/scand/engine.hpp"
#include "apps/scand/settings.hpp"

namespace briefwerk::scand {

// In memory that a worker shares with whoever watches it.
struct worker_state {
  std::atomic<std::int64_t> busy_since{0};  // steady clock, nanoseconds; 0: it waits
  std::atomic<std::uint64_t> scans{0};
};
std::int64_t steady_now() noexcept;

std::string worker_folder(const settings& how, int process);

// In the worker's own process, with SIGTERM blocked; `parent` is who forked it. Does not return.
[[noreturn]] void work(engine& with, const settings& how, int listener, worker_state& state, int parent);

}  // namespace briefwerk::scand

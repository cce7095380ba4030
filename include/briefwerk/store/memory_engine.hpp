#pragma once

// The reference engine: everything in memory, gone with the object. For tests, and for products that keep nothing.

#include <memory>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/store/engine.hpp"

namespace briefwerk::store {

// `time` steers the grace of collect(); null: the machine's clock.
std::unique_ptr<engine> make_memory_engine(const base::clock* time = nullptr);

}  // namespace briefwerk::store

#pragma once

#include <memory>

#include "briefwerk/net/stream.hpp"
#include "table_cache.hpp"

namespace briefwerk::server::imap {

// Drops what nobody used for a while, as long as there is something; for who was told by wants_sweeper().
template <class Cache>
base::task<void> sweep(std::shared_ptr<Cache> tables) {
  for (;;) {
    const auto slept = co_await net::sleep_for(Cache::idle / 2);
    if (!slept || !tables->drop_idle()) co_return;
  }
}

}  // namespace briefwerk::server::imap

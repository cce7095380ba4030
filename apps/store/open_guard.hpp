#pragma once

#include <memory>

#include "apps/config/config.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/net/error.hpp"
#include "briefwerk/server/login_guard.hpp"
#include "briefwerk/store/local_store.hpp"

namespace briefwerk::apps {

// The login guard with what it knew before; gone before the store is. `metrics` null: not counted.
net::explained<std::unique_ptr<server::login_guard>> open_guard(const config& conf, store::local_store& store,
                                                                const base::crypto& crypto, base::log_sink& log,
                                                                base::metrics* metrics);

}  // namespace briefwerk::apps

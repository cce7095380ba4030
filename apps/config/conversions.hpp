#pragma once

// From what is configured to what the library's parts take.

#include <string_view>

#include "apps/config/config.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/delivery/queue_runner.hpp"
#include "briefwerk/net/tls_context.hpp"

namespace briefwerk::apps {

base::log_level to_level(std::string_view name);
net::tls_server_options to_tls_options(const tls_config& conf);
// Without what only the running server has: TLS contexts, log, metrics.
delivery::queue_runner_options to_queue_options(const config& conf);

}  // namespace briefwerk::apps

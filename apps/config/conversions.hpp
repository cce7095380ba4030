#pragma once

// From what is configured to what the library's parts take.

#include <string_view>

#include "apps/config/config.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/delivery/queue_runner.hpp"
#include "briefwerk/filter/mailauth_stage.hpp"
#include "briefwerk/net/proxy_protocol.hpp"
#include "briefwerk/net/tls_context.hpp"
#include "briefwerk/server/ban_export.hpp"
#include "briefwerk/server/login_guard.hpp"

namespace briefwerk::apps {

base::log_level to_level(std::string_view name);
net::tls_server_options to_tls_options(const tls_config& conf);
// Without what only the running server has: log, metrics, secret.
server::login_guard_options to_guard_options(const login_guard_config& conf);
// What a listener of this service ("imap", …) believes.
net::proxy_options to_proxy_options(const listen_config& conf, std::string_view service);
// What is closed to banned addresses in the kernel.
server::nft_options to_nft_options(const config& conf);
// Without what only the running server has: TLS contexts, log, metrics.
delivery::queue_runner_options to_queue_options(const config& conf);
// Likewise.
filter::mailauth_options to_mailauth_options(const config& conf);

}  // namespace briefwerk::apps

#pragma once

#include <memory>
#include <string>

#include "apps/config/config.hpp"
#include "briefwerk/base/crypto.hpp"

#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/siphash.hpp"
#include "briefwerk/net/error.hpp"
#include "briefwerk/search/index.hpp"
#include "briefwerk/store/local_store.hpp"

namespace briefwerk::apps {

// The store in the data folder of the configuration, which is made where it is missing. One process at a time.
net::explained<std::unique_ptr<store::local_store>> open_store(const config& conf, const base::crypto& crypto,
                                                               base::log_sink& log, base::metrics& metrics);

// The full-text index; null where the configuration has none, or the program was built without it.
net::explained<std::unique_ptr<search::index>> open_index(const config& conf);

// A secret of the installation, in a file of its own in the data folder (mode 0600); made once.
//   "decoy-secret"  keeps unknown users from being told apart (see sasl::server_options)
//   "srs-secret"    signs the senders of forwarded mail (mailauth::srs)
net::explained<std::string> installation_secret(const std::string& data, const char* name, const base::crypto& crypto);

// A key of that secret for one purpose, the same at each start.
net::explained<base::siphash_key> derived_key(const std::string& data, const base::crypto& crypto, std::string_view purpose);

}  // namespace briefwerk::apps

#include "apps/store/open_guard.hpp"

#include "apps/config/conversions.hpp"
#include "apps/store/open_store.hpp"

namespace briefwerk::apps {

net::explained<std::unique_ptr<server::login_guard>> open_guard(const config& conf, store::local_store& store,
                                                                const base::crypto& crypto, base::log_sink& log,
                                                                base::metrics* metrics) {
  const auto secret = installation_secret(conf.data, "decoy-secret", crypto);
  if (!secret) return std::unexpected(secret.error());
  server::login_guard_options options = to_guard_options(conf.login_guard);
  // A key of its own: nothing that this part hashes helps against another.
  options.secret = crypto.hmac(base::hash_kind::sha256, *secret, "login guard");
  options.log = &log;
  options.metrics = metrics;
  auto made =
      std::make_unique<server::login_guard>(crypto, base::system_clock(), std::move(options), store.state("guard"));
  if (const auto loaded = made->load(); !loaded) {
    return std::unexpected(net::explained_error{loaded.error(), "cannot read the bans: " + loaded.error().message()});
  }
  return made;
}

}  // namespace briefwerk::apps

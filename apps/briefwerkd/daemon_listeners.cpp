#include "apps/briefwerkd/daemon_impl.hpp"

#include <utility>

#include "apps/config/conversions.hpp"

namespace briefwerk::apps {

using base::log_level;

namespace {

// What a banned address hears in the clear, before TLS; nothing where TLS comes first, for no client would show it.
std::string refusal_text(std::string_view service, const std::string& hostname, const server::login_guard::refusal& why) {
  if (service == "imap") return "* BYE [ALERT] " + why.text + "\r\n";
  if (service != "smtp" && service != "submission") return {};
  return (why.temporary ? "421 4.7.0 " : "554 5.7.1 ") + hostname + " " + why.text + "\r\n";
}

}  // namespace

net::explained<void> daemon::impl::bind_all(net::listener& where, const std::vector<base::endpoint>& addresses) {
  for (const base::endpoint& address : addresses) {
    if (auto bound = where.bind(address, threads->size()); !bound) return bound;
  }
  return {};
}

net::listener_options daemon::impl::listener_options_for(const std::string& service, std::string refusal) {
  net::listener_options made;
  made.limits = limits;
  made.refusal = std::move(refusal);
  made.proxies = to_proxy_options(conf.listen, service);
  made.proxy_failed = [this, service](const base::endpoint& proxy, std::error_code why) {
    // Health checks only connect.
    const auto level = why == base::errc::end_of_stream || why == net::errc::stopping ? log_level::debug : log_level::warning;
    log->log(level, service + ".proxy_failed", {{"proxy", proxy.address.to_string()}, {"reason", why.message()}});
  };
  if (!conf.login_guard.enabled || (service == "smtp" && conf.login_guard.smtp == "accept")) return made;
  made.standing_of = [this](const base::endpoint& peer) { return guard->standing_of(peer.address); };
  made.turn_away = [this, service](const base::endpoint& peer) -> std::optional<std::string> {
    const auto why = guard->turn_away(peer.address);
    if (!why) return std::nullopt;
    log->log(log_level::debug, "guard.refused", {{"peer", peer.address.to_string()}, {"service", service}});
    return refusal_text(service, conf.hostname, *why);
  };
  return made;
}

net::explained<void> daemon::impl::bind() {
  limits = std::make_shared<net::connection_limits>(conf.limits.connections, conf.limits.connections_per_address);
  const auto listener = [this](const std::string& service, std::string refusal) {
    return std::make_unique<net::listener>(listener_options_for(service, std::move(refusal)));
  };
  smtp_listener = listener("smtp", "421 4.7.0 Too many connections\r\n");
  submission_listener = listener("submission", "421 4.7.0 Too many connections\r\n");
  submissions_listener = listener("submissions", {});
  imap_listener = listener("imap", "* BYE [UNAVAILABLE] Too many connections\r\n");
  imaps_listener = listener("imaps", {});
  const std::pair<net::listener*, const std::vector<base::endpoint>*> all[] = {
      {smtp_listener.get(), &conf.listen.smtp},
      {submission_listener.get(), &conf.listen.submission},
      {submissions_listener.get(), &conf.listen.submissions},
      {imap_listener.get(), &conf.listen.imap},
      {imaps_listener.get(), &conf.listen.imaps},
  };
  for (const auto& [where, addresses] : all) {
    if (auto bound = bind_all(*where, *addresses); !bound) return bound;
  }
  return {};
}

}  // namespace briefwerk::apps

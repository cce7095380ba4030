#include "apps/config/conversions.hpp"

#include <algorithm>

#include "briefwerk/mail/address.hpp"

namespace briefwerk::apps {
namespace {

delivery::hop_tls to_hop_tls(std::string_view name) {
  if (name == "verified") return delivery::hop_tls::verified;
  if (name == "optional") return delivery::hop_tls::optional;
  if (name == "none") return delivery::hop_tls::none;
  return delivery::hop_tls::required;
}

}  // namespace

base::log_level to_level(std::string_view name) {
  if (name == "debug") return base::log_level::debug;
  if (name == "warning") return base::log_level::warning;
  if (name == "error") return base::log_level::error;
  return base::log_level::info;
}

net::tls_server_options to_tls_options(const tls_config& conf) {
  net::tls_server_options made;
  for (const auto& one : conf.certificates) made.certificates.push_back({one.certificate, one.key});
  made.minimum = conf.minimum == "1.3" ? net::tls_version::v1_3 : net::tls_version::v1_2;
  return made;
}

server::login_guard_options to_guard_options(const login_guard_config& conf) {
  server::login_guard_options made;
  made.allow = conf.allow;
  made.address_failures = static_cast<std::uint32_t>(conf.failures);
  made.network_failures = static_cast<std::uint32_t>(conf.networks);
  made.window = std::chrono::minutes(conf.window_minutes);
  made.first_ban = std::chrono::minutes(conf.ban_minutes);
  made.ban_growth = static_cast<std::uint32_t>(conf.ban_growth);
  made.longest_ban = std::chrono::hours(conf.longest_ban_hours);
  made.repetition = std::chrono::days(conf.repetition_days);
  made.account_failures = static_cast<std::uint32_t>(conf.account_failures);
  made.longest_delay = std::chrono::seconds(conf.longest_delay_seconds);
  made.addresses = conf.addresses;
  return made;
}

net::proxy_options to_proxy_options(const listen_config& conf, std::string_view service) {
  for (const proxy_config& one : conf.proxies) {
    if (!one.services.empty() && std::ranges::find(one.services, service) == one.services.end()) continue;
    return {one.networks, one.missing == "refuse", std::chrono::seconds(one.wait_seconds)};
  }
  return {};
}

server::nft_options to_nft_options(const config& conf) {
  server::nft_options made;
  made.allow = conf.login_guard.allow;
  const listen_config& l = conf.listen;
  for (const auto* each : {&l.smtp, &l.submission, &l.submissions, &l.imap, &l.imaps}) {
    if (each == &l.smtp && conf.login_guard.smtp == "accept") continue;
    for (const base::endpoint& one : *each) made.ports.push_back(one.port);
  }
  return made;
}

delivery::queue_runner_options to_queue_options(const config& conf) {
  const delivery_config& from = conf.delivery;
  delivery::queue_runner_options made;
  made.routing.hostname = conf.hostname;
  made.routing.tls = to_hop_tls(from.tls);
  for (const next_hop_config& one : from.next_hops) {
    made.routing.overrides.push_back({mail::domain_to_ascii(one.domain).value_or(one.domain), one.host,
                                      static_cast<std::uint16_t>(one.port), to_hop_tls(one.tls)});
  }
  for (const std::string& one : from.ignored_networks) {
    if (const auto network = base::ip_network::parse(one)) made.routing.ignored.push_back(*network);
  }
  for (const base::endpoint& own : conf.listen.smtp)
    made.routing.ignored.push_back({own.address, own.address.is_v4() ? 32 : 128});
  if (const auto address = base::ip_address::parse(from.source_v4)) made.connect.source_v4 = *address;
  if (const auto address = base::ip_address::parse(from.source_v6)) made.connect.source_v6 = *address;
  made.retry_first = std::chrono::seconds(from.retry_first_seconds);
  made.retry_most = std::chrono::seconds(from.retry_most_seconds);
  made.give_up = std::chrono::hours(from.give_up_hours);
  made.warn_after = std::chrono::hours(from.warn_after_hours);
  made.connections = from.connections;
  return made;
}

filter::mailauth_options to_mailauth_options(const config& conf) {
  const authentication_config& from = conf.authentication;
  filter::mailauth_options made;
  made.authserv_id = from.authserv_id.empty() ? conf.hostname : from.authserv_id;
  made.on_dmarc_fail = from.dmarc == "obey" ? filter::dmarc_failure::obey : filter::dmarc_failure::mark;
  made.mark_unauthenticated = from.mark_unauthenticated;
  made.add_received_spf = from.received_spf;
  for (const std::string& one : from.trusted_sealers) made.trusted_sealers.push_back(mail::domain_to_ascii(one).value_or(one));
  for (const std::string& one : from.exempt_networks) {
    if (const auto network = base::ip_network::parse(one)) made.exempt.push_back(*network);
  }
  made.may_seal = conf.forwarding.seal;
  return made;
}

}  // namespace briefwerk::apps

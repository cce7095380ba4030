#include "apps/config/conversions.hpp"

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

delivery::queue_runner_options to_queue_options(const config& conf) {
  const delivery_config& from = conf.delivery;
  delivery::queue_runner_options made;
  made.routing.hostname = conf.hostname;
  made.routing.tls = to_hop_tls(from.tls);
  for (const next_hop_config& one : from.next_hops) {
    made.routing.overrides.push_back({mail::domain_to_ascii(one.domain).value_or(one.domain), one.host,
                                      static_cast<std::uint16_t>(one.port), to_hop_tls(one.tls)});
  }
  if (const auto address = base::ip_address::parse(from.source_v4)) made.connect.source_v4 = *address;
  if (const auto address = base::ip_address::parse(from.source_v6)) made.connect.source_v6 = *address;
  made.retry_first = std::chrono::seconds(from.retry_first_seconds);
  made.retry_most = std::chrono::seconds(from.retry_most_seconds);
  made.give_up = std::chrono::hours(from.give_up_hours);
  made.warn_after = std::chrono::hours(from.warn_after_hours);
  made.connections = from.connections;
  return made;
}

}  // namespace briefwerk::apps

#include "briefwerk/delivery/routing.hpp"

#include <algorithm>
#include <utility>

#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/header.hpp"

namespace briefwerk::delivery {

namespace smtp = protocol::smtp;

namespace {

// RFC 3463 §3.5 and RFC 7505 §4.
constexpr smtp::reply dns_failed{451, {4, 4, 3}, "DNS does not answer"};
constexpr smtp::reply no_such_domain{550, {5, 1, 2}, "No such domain"};
constexpr smtp::reply no_mail_here{556, {5, 1, 10}, "The domain takes no mail (null MX)"};
constexpr smtp::reply loops_back{554, {5, 4, 6}, "Mail for this domain would come back to this server"};

// Sorted by preference; equal ones stay in the resolver's order, which name servers rotate.
std::vector<base::dns_mx> sorted_exchanges(const base::dns_answer& answer) {
  std::vector<base::dns_mx> found;
  for (const auto& record : answer.records) {
    if (const auto* mx = std::get_if<base::dns_mx>(&record)) found.push_back(*mx);
  }
  std::ranges::stable_sort(found, {}, &base::dns_mx::preference);
  return found;
}

}  // namespace

router::router(base::resolver& names, options how) : names_(names), options_(std::move(how)) {}

const route_override* router::override_for(std::string_view domain) const {
  const route_override* any = nullptr;
  for (const auto& one : options_.overrides) {
    if (one.domain == domain) return &one;
    if (one.domain == "*") any = &one;
  }
  return any;
}

base::task<route_answer> router::find(std::string domain) {
  route found;
  found.tls = options_.tls;
  auto ascii = mail::domain_to_ascii(domain);
  if (!ascii) co_return no_such_domain;
  if (const route_override* exception = override_for(*ascii)) {
    found.tls = exception->tls;
    if (!exception->host.empty()) {
      found.hops.push_back({exception->host, exception->port, true});
      co_return found;
    }
  }
  if (ascii->starts_with('[')) {
    found.hops.push_back({*ascii, options_.port});
    co_return found;
  }

  const base::dns_answer answer = co_await names_.query(*ascii, base::dns_type::mx);
  switch (answer.status) {
    case base::dns_status::failed: co_return dns_failed;
    case base::dns_status::no_name: co_return no_such_domain;
    case base::dns_status::no_data:
      found.hops.push_back({*ascii, options_.port});  // RFC 5321 §5.1: the implicit MX
      co_return found;
    case base::dns_status::found: break;
  }
  const auto exchanges = sorted_exchanges(answer);
  if (std::ranges::all_of(exchanges, [](const auto& mx) { return mx.exchange.empty(); })) co_return no_mail_here;
  for (const auto& mx : exchanges) {
    if (mail::equals_ignoring_case(mx.exchange, options_.hostname)) {
      // Ours and all that are not preferred to us: sending there would bring it back.
      std::erase_if(found.hops, [&](const next_hop& hop) {
        return std::ranges::any_of(exchanges, [&](const auto& other) {
          return other.exchange == hop.host && other.preference == mx.preference;
        });
      });
      break;
    }
    if (!mx.exchange.empty()) found.hops.push_back({mx.exchange, options_.port});
  }
  if (found.hops.empty()) co_return loops_back;
  co_return found;
}

base::task<router::addresses> router::resolve(next_hop hop) {
  addresses found = co_await look_up(hop.host);
  if (hop.configured) co_return found;
  const auto passed_over = [this](const base::ip_address& address) {
    return std::ranges::any_of(options_.ignored, [&](const auto& network) { return network.contains(address); });
  };
  found.ignored = std::erase_if(found.list, passed_over) > 0;
  co_return found;
}

base::task<router::addresses> router::look_up(std::string host) {
  addresses found;
  if (host.starts_with('[') && host.ends_with(']')) {
    std::string_view inner = std::string_view(host).substr(1, host.size() - 2);
    if (inner.size() > 5 && mail::equals_ignoring_case(inner.substr(0, 5), "IPv6:")) inner.remove_prefix(5);
    if (auto literal = base::ip_address::parse(inner)) found.list.push_back(*literal);
    co_return found;
  }
  if (auto literal = base::ip_address::parse(host)) {
    found.list.push_back(*literal);
    co_return found;
  }
  std::vector<base::ip_address> families[2];
  for (const base::dns_type type : {base::dns_type::aaaa, base::dns_type::a}) {
    const base::dns_answer answer = co_await names_.query(host, type);
    if (answer.status == base::dns_status::failed) found.temporary = true;
    for (const auto& record : answer.records) {
      if (const auto* address = std::get_if<base::ip_address>(&record)) families[type == base::dns_type::a].push_back(*address);
    }
  }
  // In turn: not all are tried, and this host may be able to reach one family alone.
  for (std::size_t i = 0; i < std::max(families[0].size(), families[1].size()); ++i) {
    for (const auto& family : families) {
      if (i < family.size()) found.list.push_back(family[i]);
    }
  }
  co_return found;
}

}  // namespace briefwerk::delivery

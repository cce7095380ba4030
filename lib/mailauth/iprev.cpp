#include "briefwerk/mailauth/iprev.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "briefwerk/base/limits/mailauth.hpp"
#include "mailauth/dns_name.hpp"
#include "mailauth/printable.hpp"

namespace briefwerk::mailauth {

using base::dns_answer;
using base::dns_status;
using base::dns_type;

base::task<iprev_verdict> check_iprev(base::resolver& dns, base::ip_address ip, tracer trace) {
  iprev_verdict out;
  const auto end_with = [&out, trace](outcome result, std::string problem) {
    out.result = result;
    out.problem = printable(std::move(problem));
    trace.step("iprev", [&] { return std::string(to_string(result)) + ": " + out.problem; });
    return std::move(out);
  };
  const dns_answer names = co_await ask(dns, ip.reverse_name(), dns_type::ptr, trace.deeper());
  if (names.status == dns_status::failed)
    co_return end_with(outcome::temperror, "the names of the address cannot be had");
  if (names.records.empty()) co_return end_with(outcome::permerror, "the address has no name");

  bool unsure = false;
  std::size_t left = base::limits::iprev_names;
  for (const base::dns_record& each : names.records) {
    const auto* record = std::get_if<base::dns_name>(&each);
    if (record == nullptr) continue;
    if (left-- == 0) break;
    std::string name = record->name;
    if (name.ends_with('.')) name.pop_back();
    if (!is_askable(name)) continue;
    const dns_answer addresses = co_await ask(dns, name, ip.is_v4() ? dns_type::a : dns_type::aaaa, trace.deeper());
    unsure = unsure || addresses.status == dns_status::failed;
    const bool back = std::ranges::any_of(addresses.records, [&ip](const base::dns_record& address) {
      const auto* one = std::get_if<base::ip_address>(&address);
      return one != nullptr && *one == ip;
    });
    if (!back) continue;
    out.result = outcome::pass;
    out.name = std::move(name);
    trace.step("iprev", [&] { return "pass: " + ip.to_string() + " is " + out.name + ", and the other way round"; });
    co_return std::move(out);
  }
  if (unsure) co_return end_with(outcome::temperror, "the addresses of its names cannot be had");
  co_return end_with(outcome::fail, "no name of the address leads back to it");
}

}  // namespace briefwerk::mailauth

#include "briefwerk/mailauth/trace.hpp"

#include <variant>

#include "briefwerk/base/dns_type_name.hpp"
#include "mailauth/printable.hpp"

namespace briefwerk::mailauth {
namespace {

struct record_text {
  std::string operator()(const base::ip_address& address) const { return address.to_string(); }
  std::string operator()(const base::dns_mx& mx) const {
    return std::to_string(mx.preference) + " " + (mx.exchange.empty() ? std::string(".") : mx.exchange);
  }
  std::string operator()(const base::dns_txt& txt) const { return '"' + txt.text + '"'; }
  std::string operator()(const base::dns_name& name) const { return name.name; }
  std::string operator()(const base::dns_srv& srv) const {
    return std::to_string(srv.priority) + " " + std::to_string(srv.weight) + " " + std::to_string(srv.port) + " " + srv.target;
  }
  std::string operator()(const base::dns_tlsa& tlsa) const {
    return std::to_string(tlsa.usage) + " " + std::to_string(tlsa.selector) + " " + std::to_string(tlsa.matching);
  }
};

}  // namespace

void tracer::write(std::string_view what, std::string text) const {
  sink_->step({depth_, what, printable(std::move(text))});
}

std::string describe_answer(std::string_view name, base::dns_type type, const base::dns_answer& answer) {
  std::string out(base::dns_type_name(type));
  out += ' ';
  out += name;
  if (!answer.canonical_name.empty() && answer.canonical_name != name)
    out += " (alias of " + answer.canonical_name + ")";
  switch (answer.status) {
    case base::dns_status::no_data:
      return out + ": no record of this type";
    case base::dns_status::no_name:
      return out + ": no such name";
    case base::dns_status::failed:
      return out + ": no answer (time-out or server failure)";
    case base::dns_status::found:
      break;
  }
  const char* separator = ": ";
  for (const base::dns_record& record : answer.records) {
    out += separator;
    out += std::visit(record_text(), record);
    separator = ", ";
  }
  return out;
}

base::task<base::dns_answer> ask(base::resolver& dns, std::string name, base::dns_type type, tracer trace) {
  if (!trace) co_return co_await dns.query(std::move(name), type);
  base::dns_answer answer = co_await dns.query(name, type);
  trace.step("dns", [&] { return describe_answer(name, type, answer); });
  co_return answer;
}

}  // namespace briefwerk::mailauth

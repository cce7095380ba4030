#include "apps/briefwerkctl/zone.hpp"

#include <algorithm>
#include <variant>

#include "briefwerk/base/dns_type_name.hpp"
#include "briefwerk/base/encoding.hpp"

namespace briefwerk::apps::ctl {
namespace {

constexpr std::size_t longest_string = 255;  // RFC 1035 §3.3

std::string with_dot(const std::string& name) { return name + "."; }

std::string in_quotes(std::string_view text) {
  std::string out;
  do {
    out += out.empty() ? "\"" : " \"";
    for (const char c : text.substr(0, longest_string)) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
    text.remove_prefix(std::min(text.size(), longest_string));
  } while (!text.empty());
  return out;
}

struct as_value {
  std::string operator()(const base::ip_address& address) const { return address.to_string(); }
  std::string operator()(const base::dns_mx& mx) const {
    return std::to_string(mx.preference) + " " + with_dot(mx.exchange);
  }
  std::string operator()(const base::dns_txt& txt) const { return txt.text; }
  std::string operator()(const base::dns_name& name) const { return with_dot(name.name); }
  std::string operator()(const base::dns_tlsa& tlsa) const {
    return std::to_string(tlsa.usage) + " " + std::to_string(tlsa.selector) + " " + std::to_string(tlsa.matching) +
           " " + base::hex_encode(tlsa.data);
  }
  std::string operator()(const base::dns_srv& srv) const {
    return std::to_string(srv.priority) + " " + std::to_string(srv.weight) + " " + std::to_string(srv.port) + " " +
           with_dot(srv.target);
  }
};

}  // namespace

std::string zone_line(const zone_record& record) {
  const bool is_text = record.type == base::dns_type::txt;
  return with_dot(record.name) + " 3600 IN " + std::string(base::dns_type_name(record.type)) + " " +
         (is_text ? in_quotes(record.value) : record.value) + "\n";
}

std::string value_of(const base::dns_record& record) { return std::visit(as_value(), record); }

}  // namespace briefwerk::apps::ctl

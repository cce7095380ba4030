#pragma once

#include <string_view>

#include "briefwerk/base/resolver.hpp"

namespace briefwerk::base {

// As zone files have it: "AAAA".
constexpr std::string_view dns_type_name(dns_type type) noexcept {
  switch (type) {
    case dns_type::a: return "A";
    case dns_type::cname: return "CNAME";
    case dns_type::ptr: return "PTR";
    case dns_type::mx: return "MX";
    case dns_type::txt: return "TXT";
    case dns_type::aaaa: return "AAAA";
    case dns_type::srv: return "SRV";
    case dns_type::tlsa: return "TLSA";
  }
  return "?";
}

}  // namespace briefwerk::base

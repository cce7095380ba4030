#pragma once

// DNS messages (RFC 1035 §4): one question out, one answer in. The decoder never throws, reads nothing outside of the
// message and is bounded by limits::dns_records and limits::dns_cname_chain.

#include <cstdint>
#include <string>
#include <string_view>

#include "briefwerk/base/resolver.hpp"
#include "briefwerk/base/result.hpp"

namespace briefwerk::net {

// Presentation form (RFC 1035 §5.1: \. and \DDD are understood; a final dot may stand) to wire form, ASCII letters in
// lower case. errc::malformed: an empty label, one over 63 octets, over 255 in all, or a broken escape.
base::result<std::string> to_wire_name(std::string_view name);

// The other way, without a final dot; "" for the root. `wire` is uncompressed and valid.
std::string from_wire_name(std::string_view wire);

// Recursion desired; AD set, which asks for the AD bit in the answer without DNSSEC records (RFC 6840 §5.7); an OPT
// record (RFC 6891) of 11 octets at the end.
std::string encode_dns_query(std::uint16_t id, std::string_view wire_name, base::dns_type type, std::uint16_t udp_size);

// `wire_name` and `type` are those of the question, which the message must repeat. errc::malformed otherwise.
// The answer's ttl is that of a negative answer too (RFC 2308 §5); 0: not to be kept.
base::result<base::dns_answer> decode_dns_answer(std::string_view message, std::string_view wire_name,
                                                 base::dns_type type);

}  // namespace briefwerk::net

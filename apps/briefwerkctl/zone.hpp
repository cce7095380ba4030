#pragma once

// DNS records as lines of a zone file (RFC 1035 §5.1), and as answers that they can be compared with.

#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/resolver.hpp"

namespace briefwerk::apps::ctl {

struct zone_record {
  std::string name;  // without final dot
  base::dns_type type = base::dns_type::txt;
  std::string value;    // of TXT the text; of others the record data as a zone file has it
  std::string purpose;  // for people: "mail server", "SPF"
};

// "name. 3600 IN TXT …" and a line end. Long texts become several strings (RFC 1035 §3.3.14: 255 octets each).
std::string zone_line(const zone_record& record);
// An answer's record in the form of zone_record::value.
std::string value_of(const base::dns_record& record);

}  // namespace briefwerk::apps::ctl

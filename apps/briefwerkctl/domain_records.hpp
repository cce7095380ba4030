#pragma once

// What a domain has to publish so that its mail comes here and what it sends is believed elsewhere.

#include <string>
#include <vector>

#include "apps/briefwerkctl/connection.hpp"
#include "apps/briefwerkctl/zone.hpp"
#include "apps/config/config.hpp"
#include "briefwerk/base/crypto.hpp"

namespace briefwerk::apps::ctl {

struct domain_records {
  std::vector<zone_record> records;    // inside the domain's zone
  std::vector<zone_record> elsewhere;  // of the server's own name, where that is in another zone
  std::vector<std::string> notes;      // for people, a line each
};

// `keys`: the answer of dkim.list for the domain. Certificates that cannot be read become notes.
domain_records records_for(const std::string& domain, const config& conf, const json& keys, const base::crypto& crypto);

// The fixed addresses that outgoing mail comes from, as configured; may be empty.
std::vector<base::ip_address> source_addresses(const config& conf);

}  // namespace briefwerk::apps::ctl

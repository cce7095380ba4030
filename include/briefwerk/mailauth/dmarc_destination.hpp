#pragma once

// Where aggregate reports may be sent: a domain can ask for them anywhere, so whoever else is named must have agreed
// (RFC 7489 §7.1, RFC 9990 §4).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "briefwerk/base/resolver.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/mailauth/dmarc.hpp"

namespace briefwerk::mailauth::dmarc {

struct destination {
  std::string address;                    // mailbox, domain in A-labels
  std::optional<std::uint64_t> max_size;  // octets of the compressed report; a larger one is not sent
  bool operator==(const destination&) const = default;
};
struct refused_destination {
  std::string uri;
  std::string problem;  // for people, one line of printable ASCII
};
struct destinations {
  std::vector<destination> to;  // in the record's order, each address once
  std::vector<refused_destination> refused;
  bool temperror = false;  // DNS did not answer for one of them: it is in neither list; ask again later
};

// The addresses of `rua` that may be written to about `policy_domain`. A host with the same organizational domain needs
// no permission, any other publishes one at POLICY_DOMAIN._report._dmarc.HOST, and may redirect there to another
// address of the same host. `dns` must outlive the task.
base::task<destinations> report_destinations(base::resolver& dns, std::string policy_domain,
                                             std::vector<report_uri> rua, options how = {}, tracer trace = {});

}  // namespace briefwerk::mailauth::dmarc

#pragma once

// iprev (RFC 8601 §3): has the client's address a name that leads back to it?

#include <string>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/resolver.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/mailauth/outcome.hpp"
#include "briefwerk/mailauth/trace.hpp"

namespace briefwerk::mailauth {

struct iprev_verdict {
  outcome result = outcome::permerror;  // pass; fail: a name, but none leads back; permerror: no name; temperror
  std::string name;                     // pass: the first name that leads back, without final dot
  std::string problem;                  // otherwise: why, one line of printable ASCII
};

// Looks at limits::iprev_names names of the address, in the order of the answer. `dns` lives until the end.
base::task<iprev_verdict> check_iprev(base::resolver& dns, base::ip_address ip, tracer trace = {});

}  // namespace briefwerk::mailauth

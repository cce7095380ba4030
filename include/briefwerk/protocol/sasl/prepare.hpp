#pragma once

#include <string>
#include <string_view>

#include "briefwerk/base/result.hpp"

namespace briefwerk::protocol::sasl {

// SASLprep (RFC 4013): a user name or password in the form that both sides compare. Characters that Unicode 3.2 did
// not know are let through, for stored strings too: passwords contain them. (RFC 4013 §2.5 allows this for queries
// only. The price is that a later normalisation of such a character would not be seen, as in every implementation that
// compares octets.) Printable ASCII comes back as it is, at once.
// Errors: errc::prohibited_character; errc::empty_after_preparation; base::errc::limit_exceeded above
// limits::sasl_message; base::errc::unsupported where ICU was built without the profile.
base::result<std::string> saslprep(std::string_view utf8);

}  // namespace briefwerk::protocol::sasl

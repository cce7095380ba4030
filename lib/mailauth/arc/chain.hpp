#pragma once

// The ARC fields of a message as sets (RFC 8617 §4.2), and what is wrong with their structure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/mailauth/arc.hpp"
#include "mailauth/dkim/message_state.hpp"

namespace briefwerk::mailauth {

enum class chain_status : std::uint8_t { none, pass, fail };  // cv=

// An ARC-Seal (§4.1.3): of `signature` algorithm, domain, selector, value and times mean something.
struct seal_field {
  signature_field field;
  chain_status status = chain_status::none;
};
base::result<seal_field> parse_seal(std::string_view value);

// "i=N;" at the front of an ARC-Authentication-Results value (§4.1.1): the number, and what follows. 0 when it is not
// there.
unsigned parse_results_instance(std::string_view value, std::string_view& rest) noexcept;

// One complete set. Indexes are into the message's fields.
struct chain_set {
  std::size_t results_field = 0;
  std::string_view results;  // behind "i=N;"
  const found_signature* message = nullptr;
  std::size_t seal_index = 0;
  seal_field seal;
};

struct chain {
  std::vector<chain_set> sets;  // by instance, 1 first; complete only when `problem` is empty
  unsigned highest = 0;         // the highest readable instance
  bool present = false;         // there are ARC fields
  bool newest_failed = false;   // the seal of the highest instance says cv=fail
  std::string problem;          // §5.2 step 3
};

// Neither keys nor hashes are looked at.
chain read_chain(const message_state& message);

// Appends the fields of a set in the order of §5.1.1, in relaxed form: results, message signature, seal.
void append_sealed(std::string& out, const message_state& message, const chain_set& set);

}  // namespace briefwerk::mailauth

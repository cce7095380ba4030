#pragma once

// The author's domain: the one in the From field (RFC 7489 §6.6.1, RFC 9989 §5.3.1). What a forged From field could
// show to a reader in two ways is never answered by the more convenient of them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace briefwerk::mailauth {

enum class author_fault : std::uint8_t {
  none,             // one From field, one domain: DMARC applies
  no_field,         // no From field (RFC 5322 §3.6 asks for one)
  several_fields,   // two From fields, or one hidden behind a bare CR of another field
  no_domain,        // an empty group, a name alone, an address in an encoded-word, nothing
  address_literal,  // user@[192.0.2.1]: there is no domain that could have a policy
  several_domains,  // addresses of different domains, in a list or a group, or an obsolete route (RFC 5322 §4.4)
  malformed,        // control characters, in encoded-words too; a domain that is none; an "@" outside quotes in a
                    // display name; an encoded-word inside an address (RFC 2047 §5 forbids it, some readers decode it)
  too_long,         // past limits::dmarc_from_field, limits::dmarc_author_domains or the bounds of a header block
};
std::string_view to_string(author_fault fault) noexcept;  // "several From fields", …

struct author {
  // Every domain that the From fields could show as the author's, A-labels in lower case, each once, in their order;
  // at most limits::dmarc_author_domains. Exactly one when there is no fault. No fault: several addresses of one
  // domain, groups (RFC 6854), comments, quoted display names with addresses in them, encoded-words in display names,
  // names without an address beside one that has it ("Doe, Jane <jane@example.org>").
  std::vector<std::string> domains;
  author_fault fault = author_fault::no_field;
  // Domains were left out: what was not looked at must not be taken for harmless.
  bool incomplete = false;
};

// From the header of a message (what follows an empty line is ignored), or from the message as a whole.
author read_author(std::string_view header);

}  // namespace briefwerk::mailauth

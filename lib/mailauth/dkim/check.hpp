#pragma once

// The steps that DKIM-Signature and ARC-Message-Signature fields share: is the body the signed one, is the header,
// does the key allow this signature, do the rules of this server.

#include <optional>
#include <string>

#include "briefwerk/mailauth/dkim.hpp"
#include "mailauth/dkim/message_state.hpp"

namespace briefwerk::mailauth {

struct finding {
  outcome what = outcome::pass;
  std::string reason;
};

// Compares bh=. Pass, or fail; policy when the hash was not computed (limits::dkim_body_hashes).
finding check_body(const message_state& message, const dkim_signature& signature);
// The hash of the signed header fields and the signature's own (RFC 6376 §3.7).
std::string header_digest(const message_state& message, const found_signature& found);

// Tries the keys in turn: the first pass, else what the first key said. `bits` is of the key that decided.
finding check_signature(const dkim_signature& signature, std::string_view digest, const dkim_keys::answer& keys,
                        unsigned& bits, bool& testing);
// RFC 8301: what a signature must not have been made with, however right it is.
std::optional<std::string> weakness(const dkim_signature& signature, unsigned bits, unsigned rsa_bits_min);

}  // namespace briefwerk::mailauth

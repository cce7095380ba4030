#pragma once

// What DKIM's signer and ARC's sealer share.

#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "briefwerk/mailauth/dkim.hpp"
#include "mailauth/dkim/field_writer.hpp"
#include "mailauth/dkim/message_state.hpp"

namespace briefwerk::mailauth {

bool is_field_name(std::string_view name) noexcept;
// The selector as it is written; bad_selector, no_key or weak_key.
std::error_code settle_key(dkim_signing_key& one);
dkim_algorithm algorithm_of(const base::private_key& key) noexcept;
// missing_body_hash, unsuitable_message or no_single_from; else nothing.
std::error_code check_signable(const message_state& message, const body_hash_kind& wanted);
std::size_t count_fields(const message_state& message, std::string_view name) noexcept;
// The fields that h= chooses, in canonical form.
std::string canonical_fields(const message_state& message, canonicalization how, const std::vector<std::string>& names);
// Completes `field`, which has an empty b=, with a signature over `data` and the field itself.
base::result<std::string> sign_field(field_writer field, canonicalization how, std::string data,
                                     const base::private_key& key, const base::crypto& crypto, bool folded = true);

}  // namespace briefwerk::mailauth

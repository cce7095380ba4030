#pragma once

// Signature keys on BoringSSL; the contract is base::crypto's.

#include <memory>
#include <string_view>

#include "briefwerk/base/crypto.hpp"

namespace briefwerk::crypto {

base::result<std::shared_ptr<const base::public_key>> parse_public(base::key_kind kind, std::string_view octets);
base::result<std::shared_ptr<const base::private_key>> parse_private(std::string_view pem);
base::result<std::shared_ptr<const base::private_key>> generate_private(base::key_kind kind, unsigned bits);

}  // namespace briefwerk::crypto

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "briefwerk/base/crypto.hpp"

namespace briefwerk::crypto {

// RFC 8018 §5.2 on the hash's compression function. SHA-1 and SHA-2 only; md5 answers an empty string.
std::string fast_pbkdf2(base::hash_kind kind, std::string_view password, std::string_view salt,
                        std::uint32_t iterations, std::size_t length);

}  // namespace briefwerk::crypto

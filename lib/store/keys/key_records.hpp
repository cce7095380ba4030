#pragma once

// The partition "k": keys and values of the signing keys. lib/store/FORMAT.md describes them.

#include <string>
#include <string_view>

#include "briefwerk/base/result.hpp"
#include "briefwerk/store/signing_keys.hpp"

namespace briefwerk::store {

namespace signing_keys {
inline constexpr std::string_view partition = "k";
inline constexpr char key = 'S';  // S domain NUL selector

inline std::string of_domain(std::string_view domain) { return std::string(1, key).append(domain).append(1, '\0'); }
inline std::string of(const signing_key& one) { return of_domain(one.domain).append(one.selector); }
}  // namespace signing_keys

std::string encode(const signing_key& value);
// Strict: errc::corrupt.
base::result<signing_key> decode_signing_key(std::string_view key, std::string_view value);

}  // namespace briefwerk::store

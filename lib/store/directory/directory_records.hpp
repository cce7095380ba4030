#pragma once

// The partition "d": keys and values of the directory. lib/store/FORMAT.md describes them.

#include <string>
#include <string_view>

#include "briefwerk/base/result.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/store/directory.hpp"

namespace briefwerk::store {

// An address of a local domain, as it is looked up and as it is stored.
struct local_address {
  std::string domain;  // lower-case A-labels
  std::string local;   // folded: compares
  std::string text;    // local@domain, as stored

  // "user+tag" becomes "user". False when there is no tag.
  bool strip(char separator);
};

base::result<local_address> fold_address(const mail::mailbox_address& address);  // base::errc::malformed
base::result<local_address> fold_address(std::string_view text);
base::result<std::string> fold_domain(std::string_view name);

namespace directory_keys {
inline constexpr char domain = 'D';   // D domain
inline constexpr char account = 'A';  // A account id
inline constexpr char login = 'L';    // L domain NUL local -> account id
inline constexpr char alias = 'I';    // I domain NUL local

inline std::string of(char kind, std::string_view name) { return std::string(1, kind).append(name); }
inline std::string of(char kind, const local_address& address) {
  return std::string(1, kind).append(address.domain).append(1, '\0').append(address.local);
}
}  // namespace directory_keys

// Strict: errc::corrupt.
std::string encode(const domain& value);
base::result<domain> decode_domain(std::string_view value, std::string_view name);
std::string encode(const account& value);
base::result<account> decode_directory_account(std::string_view value, std::string_view id);
std::string encode(const alias& value);
base::result<alias> decode_alias(std::string_view value);

}  // namespace briefwerk::store

#pragma once

// Hashes, HMAC, PBKDF2 and random octets as an interface, so that a product that links only the protocol room
// needs no cryptographic library, and one that has its own can supply it. Briefwerk::crypto implements it on
// BoringSSL (briefwerk/crypto/boringssl.hpp).

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace briefwerk::base {

enum class hash_kind : std::uint8_t { md5, sha1, sha256, sha512 };

constexpr std::size_t digest_size(hash_kind kind) noexcept {
  switch (kind) {
    case hash_kind::md5: return 16;
    case hash_kind::sha1: return 20;
    case hash_kind::sha256: return 32;
    case hash_kind::sha512: return 64;
  }
  return 0;
}

// One running hash; used from one thread at a time.
class hasher {
 public:
  virtual ~hasher() = default;
  virtual void update(std::string_view octets) noexcept = 0;
  virtual std::string finish() = 0;  // the raw digest; the hasher is spent
};

// Thread-safe.
class crypto {
 public:
  virtual ~crypto() = default;
  virtual std::unique_ptr<hasher> start_hash(hash_kind kind) const = 0;
  virtual std::string hash(hash_kind kind, std::string_view octets) const = 0;
  virtual std::string hmac(hash_kind kind, std::string_view key, std::string_view octets) const = 0;
  // RFC 8018 §5.2; `length` octets.
  virtual std::string pbkdf2(hash_kind kind, std::string_view password, std::string_view salt, std::uint32_t iterations,
                             std::size_t length) const = 0;
  virtual void random(std::span<char> out) const noexcept = 0;

  std::string random_octets(std::size_t length) const {
    std::string out(length, '\0');
    random(out);
    return out;
  }
};

// Takes the same time wherever the difference is (not for different lengths).
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace briefwerk::base

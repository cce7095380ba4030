#pragma once

// Hashes, HMAC, PBKDF2, random octets and signature keys as an interface, so that a product that links only the
// protocol room needs no cryptographic library, and one that has its own can supply it. Briefwerk::crypto implements
// it on BoringSSL (briefwerk/crypto/boringssl.hpp).

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "briefwerk/base/result.hpp"

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

// The two kinds of key that sign mail (RFC 6376 §3.3, RFC 8463).
enum class key_kind : std::uint8_t { rsa, ed25519 };

// Immutable and thread-safe: parsed once, it may be kept and shared.
class public_key {
 public:
  virtual ~public_key() = default;
  virtual key_kind kind() const noexcept = 0;
  virtual unsigned bits() const noexcept = 0;  // of an RSA modulus; 256 for Ed25519
  // The form that a DKIM key record publishes (RFC 6376 §3.6.1, RFC 8463 §4): SubjectPublicKeyInfo as DER for RSA,
  // the 32 octets for Ed25519.
  virtual std::string encode() const = 0;
  // True when `signature` is this key's over `digest`, a hash of that kind. RSA: RSASSA-PKCS1-v1_5 (RFC 8017 §8.2).
  // Ed25519: PureEdDSA with the digest as its message (RFC 8463 §3).
  virtual bool verify(hash_kind hash, std::string_view digest, std::string_view signature) const noexcept = 0;
};

// Immutable and thread-safe. The secret is wiped from memory with its last owner.
class private_key {
 public:
  virtual ~private_key() = default;
  virtual key_kind kind() const noexcept = 0;
  virtual unsigned bits() const noexcept = 0;
  virtual std::shared_ptr<const public_key> public_part() const = 0;
  virtual std::string pem() const = 0;  // unencrypted PKCS #8; whoever takes it keeps it secret
  // As public_key::verify expects it. SHA-1 signs nothing: errc::unsupported.
  virtual result<std::string> sign(hash_kind hash, std::string_view digest) const = 0;
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

  // Signature keys: errc::unsupported from an implementation that has none.
  // `octets` as public_key::encode() gives them; for RSA also a bare RSAPublicKey (RFC 8017 A.1.1), which some
  // publish. errc::malformed for what is no such key, errc::limit_exceeded past limits::rsa_bits.
  virtual result<std::shared_ptr<const public_key>> parse_public_key(key_kind kind, std::string_view octets) const;
  // The first PEM block: PKCS #8 ("PRIVATE KEY") or PKCS #1 ("RSA PRIVATE KEY"), unencrypted. errc::malformed;
  // errc::unsupported for an encrypted or another kind of key.
  virtual result<std::shared_ptr<const private_key>> parse_private_key(std::string_view pem) const;
  // RSA of 2048, 3072 or 4096 bits (else errc::unsupported); `bits` means nothing to Ed25519. RSA takes a tenth of a
  // second and more.
  virtual result<std::shared_ptr<const private_key>> generate_key(key_kind kind, unsigned bits = 2048) const;

  std::string random_octets(std::size_t length) const {
    std::string out(length, '\0');
    random(out);
    return out;
  }
};

// Takes the same time wherever the difference is (not for different lengths).
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace briefwerk::base

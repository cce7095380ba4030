#include "briefwerk/crypto/boringssl.hpp"

#include <openssl/digest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "crypto/keys.hpp"
#include "crypto/pbkdf2.hpp"

namespace briefwerk::crypto {
namespace {

using base::hash_kind;

const EVP_MD* algorithm(hash_kind kind) noexcept {
  switch (kind) {
    case hash_kind::md5: return EVP_md5();
    case hash_kind::sha1: return EVP_sha1();
    case hash_kind::sha256: return EVP_sha256();
    case hash_kind::sha512: return EVP_sha512();
  }
  return EVP_sha256();
}

std::uint8_t* octets_of(std::string& text) noexcept { return reinterpret_cast<std::uint8_t*>(text.data()); }
const std::uint8_t* octets_of(std::string_view text) noexcept {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

class running_hash final : public base::hasher {
 public:
  explicit running_hash(hash_kind kind) : size_(base::digest_size(kind)) {
    EVP_DigestInit_ex(context_.get(), algorithm(kind), nullptr);
  }
  void update(std::string_view octets) noexcept override {
    EVP_DigestUpdate(context_.get(), octets.data(), octets.size());
  }
  std::string finish() override {
    std::string out(size_, '\0');
    EVP_DigestFinal_ex(context_.get(), octets_of(out), nullptr);
    return out;
  }

 private:
  bssl::ScopedEVP_MD_CTX context_;
  std::size_t size_;
};

class boringssl final : public base::crypto {
 public:
  std::unique_ptr<base::hasher> start_hash(hash_kind kind) const override {
    return std::make_unique<running_hash>(kind);
  }

  std::string hash(hash_kind kind, std::string_view octets) const override {
    std::string out(base::digest_size(kind), '\0');
    EVP_Digest(octets.data(), octets.size(), octets_of(out), nullptr, algorithm(kind), nullptr);
    return out;
  }

  std::string hmac(hash_kind kind, std::string_view key, std::string_view octets) const override {
    std::string out(base::digest_size(kind), '\0');
    // A null key would mean "the key of the last call" to HMAC_Init_ex.
    const char* some = key.empty() ? "" : key.data();
    HMAC(algorithm(kind), some, key.size(), octets_of(octets), octets.size(), octets_of(out), nullptr);
    return out;
  }

  std::string pbkdf2(hash_kind kind, std::string_view password, std::string_view salt, std::uint32_t iterations,
                     std::size_t length) const override {
    if (iterations == 0) iterations = 1;
    if (kind != hash_kind::md5) return fast_pbkdf2(kind, password, salt, iterations, length);
    std::string out(length, '\0');
    PKCS5_PBKDF2_HMAC(password.data(), password.size(), octets_of(salt), salt.size(), iterations, algorithm(kind),
                      length, octets_of(out));
    return out;
  }

  void random(std::span<char> out) const noexcept override {
    RAND_bytes(reinterpret_cast<std::uint8_t*>(out.data()), out.size());
  }

  base::result<std::shared_ptr<const base::public_key>> parse_public_key(base::key_kind kind,
                                                                         std::string_view octets) const override {
    return parse_public(kind, octets);
  }
  base::result<std::shared_ptr<const base::private_key>> parse_private_key(std::string_view pem) const override {
    return parse_private(pem);
  }
  base::result<std::shared_ptr<const base::private_key>> generate_key(base::key_kind kind,
                                                                      unsigned bits) const override {
    return generate_private(kind, bits);
  }
};

}  // namespace

std::unique_ptr<base::crypto> make_boringssl() { return std::make_unique<boringssl>(); }

}  // namespace briefwerk::crypto

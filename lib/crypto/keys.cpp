#include "crypto/keys.hpp"

#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/curve25519.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>
#include <utility>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/limits/crypto.hpp"

namespace briefwerk::crypto {
namespace {

using base::errc;
using base::fail;
using base::hash_kind;
using base::key_kind;
using base::result;

const std::uint8_t* octets_of(std::string_view text) noexcept {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}
std::uint8_t* octets_of(std::string& text) noexcept { return reinterpret_cast<std::uint8_t*>(text.data()); }

int digest_id(hash_kind kind) noexcept {
  switch (kind) {
    case hash_kind::md5:
      return NID_md5;
    case hash_kind::sha1:
      return NID_sha1;
    case hash_kind::sha256:
      return NID_sha256;
    case hash_kind::sha512:
      return NID_sha512;
  }
  return NID_undef;
}

// What fails here is said by a result. BoringSSL also leaves it in the thread's queue, where the next TLS call would
// find it.
struct clear_errors {
  clear_errors() = default;
  clear_errors(const clear_errors&) = delete;
  clear_errors& operator=(const clear_errors&) = delete;
  ~clear_errors() { ERR_clear_error(); }
};

class public_rsa final : public base::public_key {
 public:
  explicit public_rsa(bssl::UniquePtr<RSA> key) : key_(std::move(key)) {}

  key_kind kind() const noexcept override { return key_kind::rsa; }
  unsigned bits() const noexcept override { return RSA_bits(key_.get()); }

  std::string encode() const override {
    bssl::UniquePtr<EVP_PKEY> holder(EVP_PKEY_new());
    EVP_PKEY_set1_RSA(holder.get(), key_.get());
    bssl::ScopedCBB out;
    std::uint8_t* data = nullptr;
    std::size_t size = 0;
    CBB_init(out.get(), 512);
    EVP_marshal_public_key(out.get(), holder.get());
    CBB_finish(out.get(), &data, &size);
    bssl::UniquePtr<std::uint8_t> owner(data);
    return {reinterpret_cast<const char*>(data), size};
  }

  bool verify(hash_kind hash, std::string_view digest, std::string_view signature) const noexcept override {
    const clear_errors quiet;
    return digest.size() == base::digest_size(hash) &&
           RSA_verify(digest_id(hash), octets_of(digest), digest.size(), octets_of(signature), signature.size(),
                      key_.get()) == 1;
  }

 private:
  bssl::UniquePtr<RSA> key_;
};

class public_ed25519 final : public base::public_key {
 public:
  explicit public_ed25519(std::string_view octets) : key_(octets) {}

  key_kind kind() const noexcept override { return key_kind::ed25519; }
  unsigned bits() const noexcept override { return 256; }
  std::string encode() const override { return key_; }
  bool verify(hash_kind, std::string_view digest, std::string_view signature) const noexcept override {
    return signature.size() == ED25519_SIGNATURE_LEN &&
           ED25519_verify(octets_of(digest), digest.size(), octets_of(signature), octets_of(key_)) == 1;
  }

 private:
  std::string key_;
};

class private_any final : public base::private_key {
 public:
  private_any(bssl::UniquePtr<EVP_PKEY> key, std::shared_ptr<const base::public_key> shown)
      : key_(std::move(key)), shown_(std::move(shown)) {}

  key_kind kind() const noexcept override { return shown_->kind(); }
  unsigned bits() const noexcept override { return shown_->bits(); }
  std::shared_ptr<const base::public_key> public_part() const override { return shown_; }

  std::string pem() const override {
    bssl::UniquePtr<BIO> out(BIO_new(BIO_s_mem()));
    PEM_write_bio_PKCS8PrivateKey(out.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    BIO_mem_contents(out.get(), &data, &size);
    return {reinterpret_cast<const char*>(data), size};
  }

  result<std::string> sign(hash_kind hash, std::string_view digest) const override {
    const clear_errors quiet;
    if (hash == hash_kind::sha1 || hash == hash_kind::md5) return fail(errc::unsupported);
    if (digest.size() != base::digest_size(hash)) return fail(errc::malformed);
    if (kind() == key_kind::ed25519) return sign_ed25519(digest);
    RSA* rsa = EVP_PKEY_get0_RSA(key_.get());
    std::string out(RSA_size(rsa), '\0');
    unsigned size = 0;
    if (RSA_sign(digest_id(hash), octets_of(digest), digest.size(), octets_of(out), &size, rsa) != 1)
      return fail(errc::unsupported);  // the key is too short for the hash
    out.resize(size);
    return out;
  }

 private:
  result<std::string> sign_ed25519(std::string_view digest) const {
    std::string out(ED25519_SIGNATURE_LEN, '\0');
    std::size_t size = out.size();
    bssl::ScopedEVP_MD_CTX context;
    if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
        EVP_DigestSign(context.get(), octets_of(out), &size, octets_of(digest), digest.size()) != 1)
      return fail(errc::unsupported);
    return out;
  }

  bssl::UniquePtr<EVP_PKEY> key_;
  std::shared_ptr<const base::public_key> shown_;
};

result<std::shared_ptr<const base::public_key>> make_public_rsa(bssl::UniquePtr<RSA> rsa) {
  if (RSA_bits(rsa.get()) > base::limits::rsa_bits) return fail(errc::limit_exceeded);
  return std::make_shared<public_rsa>(std::move(rsa));
}

result<std::shared_ptr<const base::public_key>> parse_public_rsa(std::string_view octets) {
  const clear_errors quiet;
  CBS in;
  CBS_init(&in, octets_of(octets), octets.size());
  if (bssl::UniquePtr<EVP_PKEY> key{EVP_parse_public_key(&in)}) {
    bssl::UniquePtr<RSA> rsa(EVP_PKEY_get1_RSA(key.get()));
    if (rsa == nullptr || CBS_len(&in) != 0) return fail(errc::malformed);
    return make_public_rsa(std::move(rsa));
  }
  CBS_init(&in, octets_of(octets), octets.size());
  bssl::UniquePtr<RSA> rsa(RSA_parse_public_key(&in));
  if (rsa == nullptr || CBS_len(&in) != 0) return fail(errc::malformed);
  return make_public_rsa(std::move(rsa));
}

result<std::shared_ptr<const base::private_key>> make_private(bssl::UniquePtr<EVP_PKEY> key) {
  std::shared_ptr<const base::public_key> shown;
  if (EVP_PKEY_id(key.get()) == EVP_PKEY_RSA) {
    bssl::UniquePtr<RSA> rsa(EVP_PKEY_get1_RSA(key.get()));
    auto made = make_public_rsa(std::move(rsa));
    if (!made) return fail(made.error());
    shown = std::move(*made);
  } else if (EVP_PKEY_id(key.get()) == EVP_PKEY_ED25519) {
    std::string raw(ED25519_PUBLIC_KEY_LEN, '\0');
    std::size_t size = raw.size();
    if (EVP_PKEY_get_raw_public_key(key.get(), octets_of(raw), &size) != 1) return fail(errc::malformed);
    shown = std::make_shared<public_ed25519>(raw);
  } else {
    return fail(errc::unsupported);
  }
  return std::make_shared<private_any>(std::move(key), std::move(shown));
}

}  // namespace

result<std::shared_ptr<const base::public_key>> parse_public(key_kind kind, std::string_view octets) {
  if (kind == key_kind::rsa) return parse_public_rsa(octets);
  if (octets.size() != ED25519_PUBLIC_KEY_LEN) return fail(errc::malformed);
  return std::make_shared<public_ed25519>(octets);
}

result<std::shared_ptr<const base::private_key>> parse_private(std::string_view pem) {
  const clear_errors quiet;
  if (pem.size() > base::limits::private_key_file) return fail(errc::limit_exceeded);
  bssl::UniquePtr<BIO> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  char *name_text = nullptr, *header_text = nullptr;
  std::uint8_t* data = nullptr;
  long size = 0;
  if (PEM_read_bio(in.get(), &name_text, &header_text, &data, &size) != 1) return fail(errc::malformed);
  const bssl::UniquePtr<char> name_owner(name_text), header_owner(header_text);
  const bssl::UniquePtr<std::uint8_t> data_owner(data);  // OPENSSL_free wipes
  const std::string_view name(name_text);

  CBS der;
  CBS_init(&der, data, static_cast<std::size_t>(size));
  bssl::UniquePtr<EVP_PKEY> key;
  if (*header_text != '\0') return fail(errc::unsupported);  // "Proc-Type: 4,ENCRYPTED"
  if (name == "PRIVATE KEY") {
    key.reset(EVP_parse_private_key(&der));
  } else if (name == "RSA PRIVATE KEY") {
    bssl::UniquePtr<RSA> rsa(RSA_parse_private_key(&der));
    if (rsa == nullptr) return fail(errc::malformed);
    key.reset(EVP_PKEY_new());
    EVP_PKEY_set1_RSA(key.get(), rsa.get());
  } else {
    return fail(errc::unsupported);
  }
  if (key == nullptr || CBS_len(&der) != 0) return fail(errc::malformed);
  return make_private(std::move(key));
}

result<std::shared_ptr<const base::private_key>> generate_private(key_kind kind, unsigned bits) {
  const clear_errors quiet;
  bssl::UniquePtr<EVP_PKEY> key;
  if (kind == key_kind::ed25519) {
    std::array<std::uint8_t, ED25519_PUBLIC_KEY_LEN> shown{};
    std::array<std::uint8_t, ED25519_PRIVATE_KEY_LEN> secret{};
    ED25519_keypair(shown.data(), secret.data());
    key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.data(), 32));  // its seed
    OPENSSL_cleanse(secret.data(), secret.size());
  } else {
    if (bits != 2048 && bits != 3072 && bits != 4096) return fail(errc::unsupported);
    bssl::UniquePtr<RSA> rsa(RSA_new());
    bssl::UniquePtr<BIGNUM> exponent(BN_new());
    BN_set_word(exponent.get(), RSA_F4);
    if (RSA_generate_key_ex(rsa.get(), static_cast<int>(bits), exponent.get(), nullptr) != 1)
      return fail(errc::unavailable);
    key.reset(EVP_PKEY_new());
    EVP_PKEY_set1_RSA(key.get(), rsa.get());
  }
  return make_private(std::move(key));
}

}  // namespace briefwerk::crypto

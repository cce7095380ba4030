#include <doctest/doctest.h>

#include <filesystem>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/base/limits/crypto.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;
using base::errc;
using base::hash_kind;
using base::key_kind;

namespace {

const auto provider = crypto::make_boringssl();

// RFC 8032 §7.1, TEST 1, as PKCS #8 (RFC 8410 §7).
constexpr std::string_view ed25519_pem =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
constexpr std::string_view ed25519_public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

}  // namespace

TEST_CASE("Ed25519: RFC 8032 §7.1 and RFC 8463 A.2") {
  const auto key = provider->parse_private_key(ed25519_pem);
  REQUIRE(key.has_value());
  CHECK((*key)->kind() == key_kind::ed25519);
  CHECK((*key)->bits() == 256);
  const auto shown = (*key)->public_part();
  CHECK(base::hex_encode(shown->encode()) == ed25519_public);
  // The same key stands in RFC 8463 A.2 as it is published.
  CHECK(base::base64_encode(shown->encode()) == "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
  CHECK((*key)->pem() == ed25519_pem);
  // TEST 1 signs the empty text.
  const auto expected = base::hex_decode(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
  CHECK(shown->verify(hash_kind::sha256, "", *expected));

  const std::string digest = provider->hash(hash_kind::sha256, "text");
  const auto signature = (*key)->sign(hash_kind::sha256, digest);
  REQUIRE(signature.has_value());
  CHECK(signature->size() == 64);
  CHECK(shown->verify(hash_kind::sha256, digest, *signature));
  CHECK(!shown->verify(hash_kind::sha256, provider->hash(hash_kind::sha256, "text2"), *signature));
  CHECK(!shown->verify(hash_kind::sha256, digest, signature->substr(1)));
  CHECK(!shown->verify(hash_kind::sha256, digest, ""));
}

TEST_CASE("RSA: generated, written, read again, signed and verified") {
  const auto key = provider->generate_key(key_kind::rsa);
  REQUIRE(key.has_value());
  CHECK((*key)->bits() == 2048);
  const auto again = provider->parse_private_key((*key)->pem());
  REQUIRE(again.has_value());
  CHECK((*again)->pem() == (*key)->pem());

  const std::string published = (*key)->public_part()->encode();
  const auto shown = provider->parse_public_key(key_kind::rsa, published);
  REQUIRE(shown.has_value());
  CHECK((*shown)->bits() == 2048);
  CHECK((*shown)->encode() == published);

  const std::string digest = provider->hash(hash_kind::sha256, "text");
  const auto signature = (*again)->sign(hash_kind::sha256, digest);
  REQUIRE(signature.has_value());
  CHECK((*shown)->verify(hash_kind::sha256, digest, *signature));
  std::string altered = *signature;
  altered[17] = static_cast<char>(altered[17] ^ 1);
  CHECK(!(*shown)->verify(hash_kind::sha256, digest, altered));
  CHECK(!(*shown)->verify(hash_kind::sha1, digest, *signature));
  CHECK(!(*shown)->verify(hash_kind::sha256, digest.substr(1), *signature));
  CHECK(!(*shown)->verify(hash_kind::sha256, digest, ""));

  // The bare RSAPublicKey stands behind the 24 octets of the algorithm and the bit string's head.
  const auto bare = provider->parse_public_key(key_kind::rsa, std::string_view(published).substr(24));
  REQUIRE(bare.has_value());
  CHECK((*bare)->encode() == published);
}

TEST_CASE("keys that cannot be used are refused, each with its reason") {
  CHECK(provider->generate_key(key_kind::rsa, 1024).error() == errc::unsupported);
  CHECK(provider->generate_key(key_kind::rsa, 65536).error() == errc::unsupported);

  const auto key = provider->generate_key(key_kind::ed25519);
  REQUIRE(key.has_value());
  const std::string published = (*key)->public_part()->encode();
  CHECK(published.size() == 32);
  CHECK(provider->parse_public_key(key_kind::ed25519, published).has_value());
  CHECK(provider->parse_public_key(key_kind::ed25519, published + "x").error() == errc::malformed);
  CHECK(provider->parse_public_key(key_kind::rsa, published).error() == errc::malformed);
  CHECK(provider->parse_public_key(key_kind::rsa, "").error() == errc::malformed);

  const std::string sha1 = provider->hash(hash_kind::sha1, "text");
  CHECK((*key)->sign(hash_kind::sha1, sha1).error() == errc::unsupported);
  CHECK((*key)->sign(hash_kind::sha256, sha1).error() == errc::malformed);

  struct row { const char* why; std::string_view pem; errc error; };
  const row rows[] = {
      {"empty", "", errc::malformed},
      {"no PEM", "hello", errc::malformed},
      {"no Base64", "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n", errc::malformed},
      {"cut DER", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1h\n-----END PRIVATE KEY-----\n", errc::malformed},
      {"a certificate", "-----BEGIN CERTIFICATE-----\nMC4CAQAwBQYDK2VwBCIEIJ1h\n-----END CERTIFICATE-----\n", errc::unsupported},
      {"encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1h\n-----END ENCRYPTED PRIVATE KEY-----\n",
       errc::unsupported},
      {"encrypted PKCS #1",
       "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMC4CAQAw\n-----END RSA PRIVATE KEY-----\n",
       errc::unsupported},
      {"P-256",
       "-----BEGIN PRIVATE KEY-----\n"
       "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghsco12d8Xmmyl2DM\n"
       "O3pvnguzWI+M2h5p5nIm9ulye8ihRANCAASmeGUWxuE4PiWwn+Gyx/5C8pGgCgFK\n"
       "6HtJc4Pq5HIHpvDkZzdKalD285JfG6g2aK9UDnd4kTI2osP8cH3naTVp\n"
       "-----END PRIVATE KEY-----\n",
       errc::unsupported},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto found = provider->parse_private_key(r.pem);
    REQUIRE(!found.has_value());
    CHECK(found.error() == r.error);
  }
  CHECK(provider->parse_private_key(std::string(base::limits::private_key_file + 1, 'x')).error() == errc::limit_exceeded);
}

TEST_CASE("PKCS #1 as others write it") {
  for (const auto& file : test::suite_files("dkim-basic/dkimpy", "test.private")) {
    const auto key = provider->parse_private_key(test::read_file(file));
    REQUIRE(key.has_value());
    CHECK((*key)->kind() == key_kind::rsa);
    CHECK((*key)->bits() == 1024);
  }
}

#include "briefwerk/crypto/boringssl.hpp"

#include <doctest/doctest.h>

#include <set>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/base/random_id.hpp"

using namespace briefwerk;
using base::hash_kind;
using base::hex_encode;

namespace {
const auto provider = crypto::make_boringssl();
}  // namespace

TEST_CASE("hashes") {
  struct row { const char* why; hash_kind kind; std::string_view in, digest; };
  const row rows[] = {
      {"RFC 1321 A.5", hash_kind::md5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
      {"RFC 1321 A.5 empty", hash_kind::md5, "", "d41d8cd98f00b204e9800998ecf8427e"},
      {"RFC 3174 §7.3", hash_kind::sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {"FIPS 180 SHA-256", hash_kind::sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"FIPS 180 SHA-512", hash_kind::sha512, "abc",
       "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(hex_encode(provider->hash(r.kind, r.in)) == r.digest);
    auto running = provider->start_hash(r.kind);
    for (const char c : r.in) running->update({&c, 1});
    CHECK(hex_encode(running->finish()) == r.digest);
    CHECK(r.digest.size() == 2 * base::digest_size(r.kind));
  }
}

TEST_CASE("HMAC: RFC 2202 and RFC 4231") {
  const std::string long_key(80, '\xaa'), longer_key(131, '\xaa');
  struct row { const char* why; hash_kind kind; std::string key, in; std::string_view mac; };
  const row rows[] = {
      {"RFC 2202 §2.1", hash_kind::md5, std::string(16, '\x0b'), "Hi There", "9294727a3638bb1c13f48ef8158bfc9d"},
      {"RFC 2202 §2.2", hash_kind::md5, "Jefe", "what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"},
      {"RFC 2202 §2.6", hash_kind::md5, long_key, "Test Using Larger Than Block-Size Key - Hash Key First",
       "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"},
      {"RFC 2202 §3.1", hash_kind::sha1, std::string(20, '\x0b'), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"},
      {"RFC 2202 §3.2", hash_kind::sha1, "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
      {"RFC 2202 §3.6", hash_kind::sha1, long_key, "Test Using Larger Than Block-Size Key - Hash Key First",
       "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
      {"RFC 4231 §4.2", hash_kind::sha256, std::string(20, '\x0b'), "Hi There",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"RFC 4231 §4.3", hash_kind::sha256, "Jefe", "what do ya want for nothing?",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {"RFC 4231 §4.7", hash_kind::sha256, longer_key, "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {"RFC 4231 §4.3", hash_kind::sha512, "Jefe", "what do ya want for nothing?",
       "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
      {"empty key and text", hash_kind::sha256, "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(hex_encode(provider->hmac(r.kind, r.key, r.in)) == r.mac);
  }
  // An empty key after another one: the library underneath takes a null key for "the last one".
  CHECK(provider->hmac(hash_kind::sha256, {}, "x") == provider->hmac(hash_kind::sha256, "", "x"));
}

TEST_CASE("PBKDF2: RFC 6070 and RFC 7914 §11") {
  using namespace std::string_view_literals;
  struct row { const char* why; hash_kind kind; std::string_view password, salt; std::uint32_t iterations; std::string_view key; };
  const row rows[] = {
      {"RFC 6070, 1", hash_kind::sha1, "password", "salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"},
      {"RFC 6070, 2", hash_kind::sha1, "password", "salt", 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"},
      {"RFC 6070, 4096", hash_kind::sha1, "password", "salt", 4096, "4b007901b765489abead49d926f721d065a429c1"},
      {"RFC 6070, two blocks", hash_kind::sha1, "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
       "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038"},
      {"RFC 6070, NULs", hash_kind::sha1, "pass\0word"sv, "sa\0lt"sv, 4096, "56fa6aa75548099dcc37d7f03425e0c3"},
      {"RFC 7914 §11, 1", hash_kind::sha256, "passwd", "salt", 1,
       "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
       "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"},
      {"RFC 7914 §11, 80000", hash_kind::sha256, "Password", "NaCl", 80000,
       "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
       "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(hex_encode(provider->pbkdf2(r.kind, r.password, r.salt, r.iterations, r.key.size() / 2)) == r.key);
  }
}

TEST_CASE("PBKDF2 agrees with its definition for every hash and password length") {
  for (const auto kind : {hash_kind::md5, hash_kind::sha1, hash_kind::sha256, hash_kind::sha512}) {
    for (const std::size_t size : {0u, 1u, 63u, 64u, 65u, 127u, 128u, 129u, 300u}) {
      const std::string password(size, 'p');
      std::string u = provider->hmac(kind, password, std::string("salt\0\0\0\1", 8)), sum = u;
      for (int i = 1; i < 5; ++i) {
        u = provider->hmac(kind, password, u);
        for (std::size_t k = 0; k < sum.size(); ++k) sum[k] = static_cast<char>(sum[k] ^ u[k]);
      }
      CAPTURE(size);
      CHECK(provider->pbkdf2(kind, password, "salt", 5, sum.size()) == sum);
      CHECK(provider->pbkdf2(kind, password, "salt", 5, 3) == sum.substr(0, 3));
    }
  }
  CHECK(provider->pbkdf2(hash_kind::sha256, "p", "s", 0, 8) == provider->pbkdf2(hash_kind::sha256, "p", "s", 1, 8));
}

TEST_CASE("random octets and ids") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = base::random_id(*provider);
    CHECK(id.size() == 16);
    CHECK(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == std::string::npos);
    seen.insert(id);
  }
  CHECK(seen.size() == 1000);
  CHECK(base::random_id(*provider, 1).size() == 2);
  CHECK(base::random_id(*provider, 0).empty());
  CHECK(provider->random_octets(33) != provider->random_octets(33));
}

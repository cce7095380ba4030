#include <benchmark/benchmark.h>
#include <openssl/digest.h>
#include <openssl/evp.h>

#include <string>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/crypto/boringssl.hpp"

using namespace briefwerk;
using base::hash_kind;

namespace {

const auto provider = briefwerk::crypto::make_boringssl();
constexpr auto iterations = base::limits::scram_iterations_default;

void sha256(benchmark::State& state) {
  const std::string octets(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(provider->hash(hash_kind::sha256, octets));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(sha256)->Arg(64)->Arg(4096)->Arg(1 << 20);

void hmac_sha256(benchmark::State& state) {
  const std::string octets(64, 'x');
  for (auto _ : state) benchmark::DoNotOptimize(provider->hmac(hash_kind::sha256, "key", octets));
}
BENCHMARK(hmac_sha256);

void pbkdf2(benchmark::State& state, hash_kind kind) {
  for (auto _ : state)
    benchmark::DoNotOptimize(provider->pbkdf2(kind, "pencil", "saltSALTsaltSALT", iterations, base::digest_size(kind)));
}
BENCHMARK_CAPTURE(pbkdf2, sha256, hash_kind::sha256);
BENCHMARK_CAPTURE(pbkdf2, sha1, hash_kind::sha1);
BENCHMARK_CAPTURE(pbkdf2, sha512, hash_kind::sha512);

// What BoringSSL's own does with the same parameters: the reason for ours.
void pbkdf2_of_boringssl(benchmark::State& state, hash_kind kind) {
  const EVP_MD* md = kind == hash_kind::sha1 ? EVP_sha1() : kind == hash_kind::sha256 ? EVP_sha256() : EVP_sha512();
  const std::string salt = "saltSALTsaltSALT";
  std::string out(base::digest_size(kind), '\0');
  for (auto _ : state) {
    PKCS5_PBKDF2_HMAC("pencil", 6, reinterpret_cast<const std::uint8_t*>(salt.data()), salt.size(), iterations, md,
                      out.size(), reinterpret_cast<std::uint8_t*>(out.data()));
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK_CAPTURE(pbkdf2_of_boringssl, sha256, hash_kind::sha256);
BENCHMARK_CAPTURE(pbkdf2_of_boringssl, sha1, hash_kind::sha1);
BENCHMARK_CAPTURE(pbkdf2_of_boringssl, sha512, hash_kind::sha512);

}  // namespace

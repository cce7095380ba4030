// DKIM: bare SHA-256, canonicalization with it, whole verifications and signatures. Keys are parsed once, as in a
// server that meets them again; DNS answers at once.

#include "briefwerk/mailauth/dkim.hpp"

#include <benchmark/benchmark.h>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "dkim_messages.hpp"
#include "mailauth/dkim/canonical_body.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::mailauth;

const base::crypto& provider() {
  static const auto instance = crypto::make_boringssl();
  return *instance;
}

std::shared_ptr<const base::private_key> key_of(base::key_kind kind) {
  static const auto rsa = provider().generate_key(base::key_kind::rsa).value();
  static const auto ed25519 = provider().generate_key(base::key_kind::ed25519).value();
  return kind == base::key_kind::rsa ? rsa : ed25519;
}

// One record for every name.
class one_answer final : public base::resolver {
 public:
  explicit one_answer(base::key_kind kind) {
    answer_.status = base::dns_status::found;
    answer_.records.push_back(
        base::dns_txt{std::string(kind == base::key_kind::rsa ? "v=DKIM1; k=rsa; p=" : "v=DKIM1; k=ed25519; p=") +
                      base::base64_encode(key_of(kind)->public_part()->encode())});
  }
  base::task<base::dns_answer> query(std::string, base::dns_type) override { co_return answer_; }

 private:
  base::dns_answer answer_;
};

std::string message_of(int shape, std::size_t size) {
  return shape == 0 ? dkim_bench::ordinary(size) : dkim_bench::blanks(size);
}

void count(benchmark::State& state, std::size_t octets) {
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(octets));
}

void sha256(benchmark::State& state) {  // the yardstick
  const std::string message = message_of(0, static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(provider().hash(base::hash_kind::sha256, message));
  count(state, message.size());
}
BENCHMARK(sha256)->Arg(4 << 10)->Arg(1 << 20);

void body_hash_of(benchmark::State& state, canonicalization how) {
  const std::string message = message_of(static_cast<int>(state.range(1)), static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    canonical_body body(how);
    body.add(provider().start_hash(base::hash_kind::sha256), {});
    for (std::string_view rest = message; !rest.empty();) {  // as they come from a socket
      const auto piece = rest.substr(0, 16384);
      body.feed(piece);
      rest.remove_prefix(piece.size());
    }
    body.finish();
    benchmark::DoNotOptimize(body.digest(0));
  }
  count(state, message.size());
}
BENCHMARK_CAPTURE(body_hash_of, relaxed, canonicalization::relaxed)->Args({1 << 20, 0})->Args({1 << 20, 1});
BENCHMARK_CAPTURE(body_hash_of, simple, canonicalization::simple)->Args({1 << 20, 0});

dkim_signer signer_of(base::key_kind kind) {
  dkim_sign_options options;
  options.domain = "example.org";
  options.keys = {{"s", key_of(kind)}};
  for (int i = 0; i < 60; ++i) options.signed_too.push_back("X-Field-" + std::to_string(i));
  return dkim_signer::make(std::move(options)).value();
}

std::string sign(const dkim_signer& signer, std::string_view message) {
  message_hasher hashed(provider(), {signer.body_hash()});
  hashed.feed(message);
  hashed.finish();
  return signer.sign(hashed, std::chrono::floor<std::chrono::seconds>(base::system_clock().now())).value();
}

void sign_message(benchmark::State& state, base::key_kind kind) {
  const std::string message = message_of(static_cast<int>(state.range(1)), static_cast<std::size_t>(state.range(0)));
  const auto signer = signer_of(kind);
  for (auto _ : state) benchmark::DoNotOptimize(sign(signer, message));
  count(state, message.size());
}
BENCHMARK_CAPTURE(sign_message, rsa2048, base::key_kind::rsa)
    ->Args({4 << 10, 0})
    ->Args({1 << 20, 0})
    ->Args({16 << 10, 1});
BENCHMARK_CAPTURE(sign_message, ed25519, base::key_kind::ed25519)
    ->Args({4 << 10, 0})
    ->Args({1 << 20, 0})
    ->Args({16 << 10, 1});

void verify_message(benchmark::State& state, base::key_kind kind) {
  std::string message = message_of(static_cast<int>(state.range(1)), static_cast<std::size_t>(state.range(0)));
  message = sign(signer_of(kind), message) + message;
  one_answer dns(kind);
  dkim_keys keys(provider(), dns);
  const dkim_verifier verifier(keys, base::system_clock());
  for (auto _ : state) {
    message_hasher hashed(provider());
    hashed.feed(message);
    hashed.finish();
    const auto results = base::sync_wait(verifier.verify(hashed));
    if (results.size() != 1 || results[0].what != outcome::pass) state.SkipWithError("did not pass");
  }
  count(state, message.size());
}
BENCHMARK_CAPTURE(verify_message, rsa2048, base::key_kind::rsa)
    ->Args({4 << 10, 0})
    ->Args({1 << 20, 0})
    ->Args({16 << 10, 1});
BENCHMARK_CAPTURE(verify_message, ed25519, base::key_kind::ed25519)
    ->Args({4 << 10, 0})
    ->Args({1 << 20, 0})
    ->Args({16 << 10, 1});

}  // namespace

// The login guard: what a connection, a failed and a correct login cost, with tables that are full of other addresses.

#include <benchmark/benchmark.h>

#include <string>

#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/server/login_guard.hpp"

using namespace briefwerk;

namespace {

base::ip_address address(std::uint32_t number) {
  return base::ip_address::v4({static_cast<std::uint8_t>(10 + (number >> 24)), static_cast<std::uint8_t>(number >> 16),
                               static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)});
}

server::login_guard::attempt attempt(std::uint32_t from, std::string_view login) {
  return {.peer = address(from), .login = login, .password = "guess", .service = "imap", .session_id = "s"};
}

struct full_guard {
  full_guard() {
    for (std::uint32_t i = 0; i < 200'000; ++i) guard.failed(attempt(i, "user" + std::to_string(i % 5000)));
  }
  std::unique_ptr<base::crypto> crypto = crypto::make_boringssl();
  server::login_guard guard{*crypto, base::system_clock(), {.secret = std::string(32, 's')}};
};

full_guard& the_guard() {
  static full_guard one;
  return one;
}

void connection(benchmark::State& state) {
  auto& guard = the_guard().guard;
  for (std::uint32_t i = 0; auto _ : state) benchmark::DoNotOptimize(guard.find_ban(address(++i % 400'000)));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(connection);

void failed_login(benchmark::State& state) {
  auto& guard = the_guard().guard;
  for (std::uint32_t i = 0; auto _ : state)
    benchmark::DoNotOptimize(guard.failed(attempt(++i * 7919 % 400'000, "alice@example.org")));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(failed_login);

void correct_login(benchmark::State& state) {
  auto& guard = the_guard().guard;
  for (auto _ : state) guard.succeeded(attempt(1u << 23, "alice@example.org"), "alice@example.org");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(correct_login);

}  // namespace

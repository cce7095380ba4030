#include <benchmark/benchmark.h>

#include <string>

#include "briefwerk/base/checksum.hpp"
#include "briefwerk/base/encoding.hpp"
#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/log.hpp"

using namespace briefwerk::base;

namespace {

std::string noise(std::size_t size) {
  std::string out(size, '\0');
  std::uint32_t state = 1;
  for (char& c : out) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return out;
}

void throughput(benchmark::State& state) { state.SetBytesProcessed(state.iterations() * state.range(0)); }

void crc32c_best(benchmark::State& state) {
  const std::string octets = noise(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(octets));
  throughput(state);
}
BENCHMARK(crc32c_best)->Arg(64)->Arg(512)->Arg(4096)->Arg(32768)->Arg(1 << 20);

void crc32c_tables(benchmark::State& state) {
  const std::string octets = noise(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(crc32c_portable(octets));
  throughput(state);
}
BENCHMARK(crc32c_tables)->Arg(4096);

void base64_encoding(benchmark::State& state) {
  const std::string octets = noise(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(base64_encode(octets));
  throughput(state);
}
BENCHMARK(base64_encoding)->Arg(48)->Arg(65536);

void base64_decoding(benchmark::State& state) {
  const std::string text = base64_encode(noise(static_cast<std::size_t>(state.range(0))));
  for (auto _ : state) benchmark::DoNotOptimize(base64_decode(text));
  throughput(state);
}
BENCHMARK(base64_decoding)->Arg(48)->Arg(65536);

void ip_parse(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(ip_address::parse("2001:db8::8:800:200c:417a"));
}
BENCHMARK(ip_parse);

void log_line(benchmark::State& state) {
  const auto log =
      open_log("/dev/null", state.range(0) ? log_format::json : log_format::text, log_level::info, system_clock());
  for (auto _ : state)
    (*log)->log(
        log_level::info, "smtp.message.accepted",
        {{"session", "k3abcdefghijklmn"}, {"peer", "192.0.2.1"}, {"from", "alice@example.org"}, {"size", 4096}});
}
BENCHMARK(log_line)->ArgName("json")->Arg(0)->Arg(1);

}  // namespace

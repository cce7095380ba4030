// IMAP from end to end: a server on a loopback socket over TLS with the memory store, one client that reads all octets.
// Server and client have a thread each, so the client's share of decrypting is hidden where there are two cores.

#include <benchmark/benchmark.h>

#include "imap_house.hpp"

namespace {

using namespace briefwerk::benchmarks;

void fetch(benchmark::State& state, const char* mailbox, const char* command, std::int64_t messages) {
  client one(house::instance());
  one.command(std::string("SELECT ") + mailbox);
  std::size_t octets = 0;
  for (auto _ : state) octets += one.command(command);
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * messages);
  state.SetBytesProcessed(static_cast<std::int64_t>(octets));
}

void imap_fetch_flags(benchmark::State& state) { fetch(state, "Many", "FETCH 1:* (FLAGS)", 100000); }
void imap_fetch_envelope(benchmark::State& state) { fetch(state, "Many", "FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE)", 100000); }
void imap_fetch_body(benchmark::State& state) { fetch(state, "Bodies", "FETCH 1:* (BODY.PEEK[])", 10000); }
void imap_search_subject(benchmark::State& state) { fetch(state, "Many", "SEARCH SUBJECT needle", 100000); }
void imap_search_body(benchmark::State& state) { fetch(state, "Bodies", "SEARCH BODY needle", 10000); }

// Many small commands of one connection, each sent when the one before is answered.
constexpr std::size_t commands_in_a_row = 100;

template <class Make>
void one_by_one(benchmark::State& state, Make make) {
  client one(house::instance());
  one.command("SELECT Many");
  std::size_t number = 0;
  for (auto _ : state) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < commands_in_a_row; ++i) texts.push_back(make(number++));
    one.commands(texts);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * commands_in_a_row));
}

std::string hundred(std::size_t i, const char* what) {
  const auto first = i * 977 % 99900 + 1;
  return "UID FETCH " + std::to_string(first) + ":" + std::to_string(first + 99) + " (UID FLAGS INTERNALDATE RFC822.SIZE " + what + ")";
}
void imap_hundred_envelopes(benchmark::State& state) {
  one_by_one(state, [](std::size_t i) { return hundred(i, "ENVELOPE"); });
}
void imap_hundred_headers(benchmark::State& state) {
  one_by_one(state, [](std::size_t i) { return hundred(i, "BODY.PEEK[HEADER]"); });
}
void imap_select(benchmark::State& state) {
  one_by_one(state, [](std::size_t) { return "SELECT Many"; });
}
void imap_noop(benchmark::State& state) {
  one_by_one(state, [](std::size_t) { return "NOOP"; });
}
void imap_store_one(benchmark::State& state) {
  one_by_one(state, [](std::size_t i) {
    return "STORE " + std::to_string(i * 977 % 100000 + 1) + (i / 100000 % 2 == 0 ? " +FLAGS (\\Flagged)" : " -FLAGS (\\Flagged)");
  });
}
void imap_append(benchmark::State& state) {
  const std::string octets = message(1, 4096);
  one_by_one(state, [&](std::size_t) { return "APPEND INBOX {" + std::to_string(octets.size()) + "+}\r\n" + octets; });
}

BENCHMARK(imap_fetch_flags)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(imap_fetch_envelope)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(imap_fetch_body)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(imap_search_subject)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(imap_search_body)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(imap_hundred_envelopes)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(imap_hundred_headers)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(imap_select)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(imap_noop)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(imap_store_one)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(imap_append)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

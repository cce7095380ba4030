// The engine on a real disk: BRIEFWERK_BENCH_DIR names the folder (default: the current one).
//
// A message: a blob of 4 KiB and three small keys, as a delivery to one mailbox writes them.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <latch>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/store/committer.hpp"
#include "briefwerk/store/memory_engine.hpp"
#include "briefwerk/store/rocksdb_engine.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::store;

constexpr std::size_t message_size = 4096;

class bench_store {
 public:
  explicit bench_store(rocksdb_options settings = {}) {
    const char* base = std::getenv("BRIEFWERK_BENCH_DIR");
    path_ = std::filesystem::path(base != nullptr ? base : ".") / ("bench-store-" + std::to_string(::getpid()));
    std::filesystem::remove_all(path_);
    std::string why;
    auto opened = open_rocksdb_engine(path_.string(), settings, &why);
    if (!opened) {
      std::fprintf(stderr, "%s\n", why.c_str());
      std::exit(1);
    }
    engine_ = std::move(*opened);
  }
  ~bench_store() {
    engine_.reset();
    std::filesystem::remove_all(path_);
  }
  engine& get() { return *engine_; }

 private:
  std::filesystem::path path_;
  std::unique_ptr<engine> engine_;
};

std::string random_message(std::uint32_t seed) {
  std::mt19937 random(seed);
  std::string s(message_size, '\0');
  for (char& c : s) c = static_cast<char>('0' + random() % 64);
  return s;
}

transaction delivery(const std::string& partition, const std::string& message, std::uint64_t uid, blob_ref* kept = nullptr) {
  transaction t;
  t.blob(message);
  t.write(partition, [uid, kept](const view& now, std::span<const blob_ref> refs, batch& out) -> base::status {
    auto state = now.get("state");
    if (!state) return base::fail(state.error());
    out.put("state", std::string(64, 's'));
    out.put("index/" + std::to_string(uid / 100), std::string(100, 'i'));
    out.put("envelope/" + std::to_string(uid), std::string(300, 'e').append(refs[0].view()));
    if (kept != nullptr) *kept = refs[0];
    return {};
  });
  return t;
}

// Writers in flight as a server has them: each starts its next message when the one before is answered, on the
// commit thread; no thread a writer.
class in_flight {
 public:
  in_flight(committer& to, std::size_t writers, std::uint64_t total) : to_(to), total_(total), done_(1) {
    for (std::size_t w = 0; w < writers; ++w) {
      messages_.push_back(random_message(static_cast<std::uint32_t>(w)));
      partitions_.push_back("a/" + std::to_string(w));
    }
    uids_.resize(writers);
  }
  void run() {
    for (std::size_t w = 0; w < messages_.size(); ++w) start(w);
    done_.wait();
  }
  std::uint64_t failed() const { return failed_; }

 private:
  void start(std::size_t writer) {
    if (started_.fetch_add(1) >= total_) return;
    to_.submit(delivery(partitions_[writer], messages_[writer], ++uids_[writer]), [this, writer](auto answer) {
      if (!answer) ++failed_;
      start(writer);
      if (ended_.fetch_add(1) + 1 == total_) done_.count_down();
    });
  }
  committer& to_;
  const std::uint64_t total_;
  std::vector<std::string> messages_, partitions_;
  std::vector<std::uint64_t> uids_;
  std::atomic<std::uint64_t> started_{0}, ended_{0}, failed_{0};
  std::latch done_;
};

void durable_messages(benchmark::State& state) {
  const auto writers = static_cast<std::size_t>(state.range(0));
  const std::uint64_t total = writers == 1 ? 5'000 : 40'000;
  rocksdb_options settings;
  settings.zero_ahead_octets = static_cast<std::uint64_t>(state.range(1)) << 20;
  bench_store where(settings);
  base::metrics figures;
  for (auto _ : state) {
    committer c(where.get(), {.figures = &figures});
    in_flight load(c, writers, total);
    load.run();
    if (load.failed() > 0) state.SkipWithError("a commit failed");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(total));
  auto& latency = figures.get_histogram("store.commit.latency");
  state.counters["p50_us"] = static_cast<double>(latency.quantile(0.5).count());
  state.counters["p99_us"] = static_cast<double>(latency.quantile(0.99).count());
  state.counters["a_group"] = static_cast<double>(figures.get_counter("store.commit.transactions").value()) /
                              static_cast<double>(figures.get_counter("store.commit.groups").value());
}
BENCHMARK(durable_messages)->ArgNames({"in_flight", "zero_ahead_mib"})
    ->Args({1, 4})->Args({1, 0})->Args({16, 4})->Args({16, 0})->Args({64, 4})->Args({256, 4})
    ->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(1);

void durable_messages_threads(benchmark::State& state) {
  static std::unique_ptr<bench_store> where;
  static std::unique_ptr<committer> c;
  if (state.thread_index() == 0) {
    where = std::make_unique<bench_store>();
    c = std::make_unique<committer>(where->get());
  }
  const std::string message = random_message(static_cast<std::uint32_t>(state.thread_index()));
  const std::string partition = "a/" + std::to_string(state.thread_index());
  std::uint64_t uid = 0;
  for (auto _ : state)
    if (!base::sync_wait(c->commit(delivery(partition, message, ++uid)))) state.SkipWithError("a commit failed");
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) {
    c.reset();
    where.reset();
  }
}
BENCHMARK(durable_messages_threads)->Threads(1)->Threads(16)->UseRealTime()->Unit(benchmark::kMicrosecond);

struct filled {
  filled() {
    committer c(where.get());
    std::vector<std::string> messages;
    for (std::uint32_t i = 0; i < 64; ++i) messages.push_back(random_message(i));
    refs.resize(20'000);
    for (std::size_t i = 0; i < refs.size(); i += 500) {
      std::latch all(500);
      for (std::size_t k = i; k < i + 500; ++k)
        c.submit(delivery("a/1", messages[k % 64], k, &refs[k]), [&all](auto) { all.count_down(); });
      all.wait();
    }
  }
  bench_store where;
  std::vector<blob_ref> refs;
};

void read_blob(benchmark::State& state) {
  filled f;
  std::mt19937 random(1);
  for (auto _ : state) {
    auto read = f.where.get().read_blob(f.refs[random() % f.refs.size()]);
    if (!read || read->size() != message_size) state.SkipWithError("a read failed");
    benchmark::DoNotOptimize(read);
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(message_size));
}
BENCHMARK(read_blob);

void open_view_and_get(benchmark::State& state) {
  filled f;
  for (auto _ : state) {
    auto now = f.where.get().read("a/1");
    auto value = (*now)->get("state");
    benchmark::DoNotOptimize(value);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(open_view_and_get);

void scan_rows(benchmark::State& state) {
  filled f;
  auto now = f.where.get().read("a/1");
  std::int64_t rows = 0;
  for (auto _ : state) {
    key_range rest = key_range::prefix("envelope/");
    for (;;) {
      auto p = (*now)->scan(rest);
      if (!p) break;
      rows += static_cast<std::int64_t>(p->size());
      if (!p->more()) break;
      rest = rest.after(p->back().key);
    }
  }
  state.SetItemsProcessed(rows);
}
BENCHMARK(scan_rows)->Unit(benchmark::kMillisecond);

}  // namespace

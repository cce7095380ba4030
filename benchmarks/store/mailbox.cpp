// Mailboxes over the engines: BRIEFWERK_BENCH_DIR names the folder for those on disk (default: the current one).

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "briefwerk/base/task.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/store/local_store.hpp"
#include "briefwerk/store/memory_engine.hpp"
#include "store/mailbox/delivery.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::store;
using base::sync_wait;

const base::crypto& crypto() {
  static const auto instance = crypto::make_boringssl();
  return *instance;
}

// What a message_summary of an ordinary message takes.
const std::string summary(900, 's');
const std::string message(4096, 'm');

template <class T>
T must(base::result<T> r) {
  if (r) return std::move(*r);
  std::fprintf(stderr, "%s\n", r.error().message().c_str());
  std::exit(1);
}
void must(base::status r) {
  if (!r) std::exit(1);
}

class house {
 public:
  explicit house(local_store_options options = {}) : options_(options) {
    const char* base = std::getenv("BRIEFWERK_BENCH_DIR");
    path_ = std::filesystem::path(base != nullptr ? base : ".") / ("bench-mailbox-" + std::to_string(::getpid()));
    std::filesystem::remove_all(path_);
    reopen();
    must(sync_wait(mail().create_account("a")));
    inbox = must(sync_wait(mail().find("a", "INBOX"))).id;
  }
  ~house() {
    store_.reset();
    std::filesystem::remove_all(path_);
  }
  void reopen() {
    store_.reset();
    store_ = must(open_local_store(path_.string(), crypto(), base::system_clock(), options_));
  }
  void fill(std::size_t count) {
    for (std::size_t done = 0; done < count;) {
      const std::size_t lot = std::min<std::size_t>(count - done, 1000);
      std::vector<message_source> pieces(lot, {"small", summary});
      std::vector<local_target> targets(lot, {.account = "a"});
      must(sync_wait(mail().append(pieces, targets)));
      done += lot;
    }
  }
  mailbox_store& mail() { return store_->mailboxes(); }

  mailbox_id inbox = 0;

 private:
  local_store_options options_;
  std::filesystem::path path_;
  std::unique_ptr<local_store> store_;
};

// What a delivery costs the commit thread apart from the engine's own write: reading, checking, encoding.
void deliver_step(benchmark::State& state) {
  const auto engine = make_memory_engine();
  store_core core(*engine, crypto(), base::system_clock(), {});
  const auto store = make_local_store(std::shared_ptr<store::engine>(engine.get(), [](auto*) {}), crypto(), base::system_clock());
  must(sync_wait(store->mailboxes().create_account("a")));
  for (int i = 0; i < 100; ++i) must(sync_wait(store->mailboxes().deliver({message, summary}, {{.account = "a"}}, {})));
  const auto now = must(engine->read("a/a"));
  const blob_ref refs[1] = {};
  delivery one(core, {message, summary}, {{.account = "a"}}, {}, delivery::refusal::target_alone);
  transaction work;
  one.add_to(work);
  for (auto _ : state) {
    batch out;
    must(work.steps[0].apply(*now, refs, out));
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(deliver_step);

void deliver_durably(benchmark::State& state) {
  static std::unique_ptr<house> shared;
  if (state.thread_index() == 0) shared = std::make_unique<house>();
  for (auto _ : state) {
    if (!must(sync_wait(shared->mail().deliver({message, summary}, {{.account = "a"}}, {}))).front()) std::exit(1);
  }
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) shared.reset();
}
BENCHMARK(deliver_durably)->MeasureProcessCPUTime()->Threads(1)->Threads(16)->UseRealTime();

void snapshot_unchanged(benchmark::State& state) {
  house h;
  h.fill(static_cast<std::size_t>(state.range(0)));
  must(sync_wait(h.mail().snapshot("a", h.inbox)));
  const auto many = [](house& in, benchmark::State& s) -> base::task<void> {
    const account_id account = "a";
    for (auto _ : s) {
      auto seen = co_await in.mail().snapshot(account, in.inbox);
      benchmark::DoNotOptimize(seen);
    }
  };
  sync_wait(many(h, state));
}
BENCHMARK(snapshot_unchanged)->Arg(1000)->Arg(100000);

// The engine was opened again: nothing is in its cache or ours, the files are in the page cache.
void open_cold(benchmark::State& state) {
  house h;
  h.fill(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    state.PauseTiming();
    h.reopen();
    state.ResumeTiming();
    auto seen = must(sync_wait(h.mail().snapshot("a", h.inbox)));
    benchmark::DoNotOptimize(seen);
  }
}
BENCHMARK(open_cold)->Arg(100000)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond)->UseRealTime();

// Our cache is empty, the engine's is not.
void open_uncached(benchmark::State& state) {
  house h({.snapshot_cache = 0});
  h.fill(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    auto seen = must(sync_wait(h.mail().snapshot("a", h.inbox)));
    benchmark::DoNotOptimize(seen);
  }
}
BENCHMARK(open_uncached)->Arg(100000)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond)->UseRealTime();

void change_one_flag(benchmark::State& state) {
  house h;
  h.fill(100000);
  must(sync_wait(h.mail().snapshot("a", h.inbox)));
  std::uint32_t uid = 0;
  for (auto _ : state) {
    uid = (uid + 7919) % 100000;
    must(sync_wait(h.mail().change_flags("a", h.inbox, {{uid + 1, uid + 1}}, uid % 2 == 0 ? flag_change::add : flag_change::remove,
                                         {mail::flags::seen, {}}, std::nullopt)));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(change_one_flag)->MeasureProcessCPUTime()->UseRealTime();

void change_all_flags(benchmark::State& state) {
  house h;
  h.fill(100000);
  bool on = false;
  for (auto _ : state) {
    on = !on;
    must(sync_wait(h.mail().change_flags("a", h.inbox, {{1, UINT32_MAX}}, on ? flag_change::add : flag_change::remove,
                                         {mail::flags::seen, {}}, std::nullopt)));
  }
  state.SetItemsProcessed(state.iterations() * 100000);
}
BENCHMARK(change_all_flags)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond)->UseRealTime();

void scan_summaries(benchmark::State& state) {
  house h;
  h.fill(100000);
  for (auto _ : state) {
    std::size_t rows = 0;
    for (std::uint32_t next = 1;;) {
      auto some = must(sync_wait(h.mail().summaries("a", h.inbox, next, UINT32_MAX, 1000)));
      rows += some.rows.size();
      if (!some.more) break;
      next = some.rows.back().uid + 1;
    }
    if (rows != 100000) std::exit(1);
  }
  state.SetItemsProcessed(state.iterations() * 100000);
}
BENCHMARK(scan_summaries)->Unit(benchmark::kMillisecond)->UseRealTime();

void read_bodies(benchmark::State& state) {
  house h;
  for (int i = 0; i < 1000; ++i) must(sync_wait(h.mail().deliver({message, summary}, {{.account = "a"}}, {})));
  const auto seen = must(sync_wait(h.mail().snapshot("a", h.inbox)));
  const auto many = [](house& in, const mailbox_snapshot& all, benchmark::State& s) -> base::task<void> {
    std::size_t i = 0;
    for (auto _ : s) {
      auto body = co_await in.mail().read(all.at(i++ % all.count()).blob);
      benchmark::DoNotOptimize(body);
    }
  };
  sync_wait(many(h, *seen, state));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(read_bodies);

// A flag changes in one of so many mailboxes, until who watches the account has heard of it.
void change_among_mailboxes(benchmark::State& state) {
  house h;
  for (int i = 0; i < state.range(0); ++i) must(sync_wait(h.mail().create("a", "m/n" + std::to_string(i), std::nullopt)));
  h.fill(1);
  std::atomic<int> calls{0};
  const auto watching = h.mail().watch("a", [&](mailbox_id) {
    calls.fetch_add(1);
    calls.notify_one();
  });
  bool on = false;
  for (auto _ : state) {
    const int before = calls.load();
    on = !on;
    must(sync_wait(h.mail().change_flags("a", h.inbox, {{1, 1}}, on ? flag_change::add : flag_change::remove,
                                         {mail::flags::flagged, {}}, std::nullopt)));
    calls.wait(before);
  }
}
BENCHMARK(change_among_mailboxes)->Arg(10)->Arg(100000)->Iterations(1000)->MeasureProcessCPUTime()->UseRealTime();

void list_mailboxes(benchmark::State& state) {
  house h;
  for (int i = 0; i < state.range(0); ++i) must(sync_wait(h.mail().create("a", "m/n" + std::to_string(i), std::nullopt)));
  for (auto _ : state) benchmark::DoNotOptimize(must(sync_wait(h.mail().list("a"))).size());
}
BENCHMARK(list_mailboxes)->Arg(10)->Arg(100000)->Iterations(10)->Unit(benchmark::kMillisecond)->UseRealTime();

void resolve_among_100000(benchmark::State& state) {
  const auto store = make_memory_store(crypto(), base::system_clock());
  auto& who = store->directory();
  must(sync_wait(who.put_domain({.name = "example.org"})));
  for (int i = 0; i < 100000; ++i) must(sync_wait(who.add_account({.login = "u" + std::to_string(i) + "@example.org"})));
  const auto many = [](store::directory& in, benchmark::State& s) -> base::task<void> {
    int i = 0;
    for (auto _ : s) {
      mail::mailbox_address address{"u" + std::to_string(i++ % 1000), "example.org"};
      auto found = co_await in.resolve(address);
      benchmark::DoNotOptimize(found);
    }
  };
  sync_wait(many(who, state));
}
BENCHMARK(resolve_among_100000);

}  // namespace

// TLS over loopback TCP, both ends in this process: the server on a thread of its own.

#include <benchmark/benchmark.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "briefwerk/net.hpp"

using namespace briefwerk;
using namespace briefwerk::net;

namespace {

base::task<void> echo(stream s, tls_context& context) {
  const status secured = co_await s.start_tls_server(context);
  if (!secured) co_return;
  for (;;) {
    const status ready = co_await s.readable();
    if (!ready) co_return;
    const auto buffer = std::make_unique_for_overwrite<char[]>(16384);  // held only while there is input
    const auto got = co_await s.read_some(std::span(buffer.get(), 16384));
    if (!got) co_return;
    const status sent = co_await s.write(std::string_view(buffer.get(), *got));
    if (!sent) co_return;
  }
}

base::task<void> swallow(stream s, tls_context& context) {
  const status secured = co_await s.start_tls_server(context);
  if (!secured) co_return;
  const auto buffer = std::make_unique<char[]>(65536);
  for (;;) {
    const auto got = co_await s.read_some(std::span(buffer.get(), 65536));
    if (!got) co_return;
  }
}

struct house {
  using session = base::task<void> (*)(stream, tls_context&);
  explicit house(session serve, std::size_t sessions_kept = 0, bool begin_now = true) : threads(1), serve_(serve) {
    const auto folder = std::filesystem::temp_directory_path() / ("briefwerk-bench-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    certificate_request request;
    request.names = {"localhost"};
    const auto pair = make_self_signed(request).value();
    const certificate_files files{folder / "c.pem", folder / "k.pem"};
    (void)write_file(files.certificate, pair.certificate);
    (void)write_file(files.key, pair.key);
    server = tls_context::server({.certificates = {files}}).value();
    client = tls_context::client({.ca_file = files.certificate, .sessions_kept = sessions_kept}).value();
    std::filesystem::remove_all(folder);
    (void)door.bind({base::ip_address::v4({127, 0, 0, 1}), 0});
    if (begin_now) begin();
  }
  void begin() {
    door.start(threads[0], [this](stream s, io_thread& on) { base::spawn_here(on, serve_(std::move(s), *server)); });
    threads.start();
  }
  ~house() { threads.stop(std::chrono::milliseconds(0)); }

  template <class T>
  T run(base::task<T> work) {
    std::optional<T> out;
    auto wrap = [](base::task<T> inner, std::optional<T>& into, io_thread& on) -> base::task<void> {
      into.emplace(co_await std::move(inner));
      on.stop();
    };
    base::spawn(loop, wrap(std::move(work), out, loop));
    loop.run();
    return std::move(*out);
  }

  io_threads threads;
  session serve_;
  io_thread loop;
  listener door;
  std::shared_ptr<tls_context> server, client;
};

base::task<stream> open(house& h) {
  auto made = co_await connect(h.loop, h.door.endpoints().front());
  if (!made) std::abort();
  const status secured = co_await made->start_tls_client(*h.client, "localhost");
  if (!secured) std::abort();
  co_return std::move(*made);
}

base::task<int> round_trips(stream& s, std::size_t size, int count) {
  const std::string line(size, 'x');
  std::string back(size, '\0');
  for (int i = 0; i < count; ++i) {
    (void)co_await s.write(line);
    for (std::size_t done = 0; done < size;) {
      const auto got = co_await s.read_some(std::span(back).subspan(done));
      if (!got) std::abort();
      done += *got;
    }
  }
  co_return count;
}

void tls_round_trip(benchmark::State& state) {
  house h(echo);
  {
    stream s = h.run(open(h));
    for (auto _ : state) h.run(round_trips(s, static_cast<std::size_t>(state.range(0)), 100));
    state.SetItemsProcessed(state.iterations() * 100);
  }
}
BENCHMARK(tls_round_trip)->Arg(64)->Arg(4096)->UseRealTime();

base::task<int> push(stream& s, const std::string& block, int count) {
  for (int i = 0; i < count; ++i) {
    const status sent = co_await s.write(block);
    if (!sent) std::abort();
  }
  co_return count;
}

void tls_bulk(benchmark::State& state) {
  house h(swallow);
  const std::string block(1u << 20, 'x');
  {
    stream s = h.run(open(h));
    for (auto _ : state) h.run(push(s, block, 16));
    state.SetBytesProcessed(state.iterations() * 16 * static_cast<std::int64_t>(block.size()));
  }
}
BENCHMARK(tls_bulk)->UseRealTime();

base::task<int> handshakes(house& h, int count) {
  int resumed = 0;
  for (int i = 0; i < count; ++i) {
    stream s = co_await open(h);
    (void)co_await round_trips(s, 1, 1);  // TLS 1.3's ticket comes with the first data
    resumed += s.tls().resumed ? 1 : 0;
  }
  co_return resumed;
}

// Connection, handshake, one octet there and back, end; the certificate is verified by the client.
void tls_handshake(benchmark::State& state) {
  house h(echo, state.range(0) != 0 ? 100 : 0);
  int resumed = 0;
  for (auto _ : state) resumed += h.run(handshakes(h, 20));
  state.SetItemsProcessed(state.iterations() * 20);
  state.counters["resumed"] = benchmark::Counter(resumed, benchmark::Counter::kAvgIterations);
}
BENCHMARK(tls_handshake)->ArgName("resume")->Arg(0)->Arg(1)->UseRealTime();

std::size_t resident() {
  std::ifstream in("/proc/self/statm");
  std::size_t total = 0, pages = 0;
  in >> total >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// The other process: opens connections, says one line on each, and keeps them until the pipe is closed.
base::task<int> open_many(io_thread& loop, tls_context& context, base::endpoint to, std::vector<stream>& out,
                          int count) {
  for (int i = 0; i < count; ++i) {
    auto made = co_await connect(loop, to);
    if (!made) std::abort();
    const status secured = co_await made->start_tls_client(context, "localhost");
    if (!secured) std::abort();
    out.push_back(std::move(*made));
    (void)co_await round_trips(out.back(), 64, 2);
  }
  loop.stop();
  co_return count;
}

base::task<void> no_answer(base::task<int> work) { (void)co_await std::move(work); }

[[noreturn]] void be_clients(base::endpoint to, int orders, int reports, int warm, int count) {
  io_thread loop;
  auto context = tls_context::client({.verification = peer_verification::recorded, .sessions_kept = 0}).value();
  std::vector<stream> kept;
  for (const int more : {warm, count}) {
    char order = 0;
    if (::read(orders, &order, 1) != 1) ::_exit(1);
    base::spawn(loop, no_answer(open_many(loop, *context, to, kept, more)));
    loop.run();
    if (::write(reports, &order, 1) != 1) ::_exit(1);
  }
  char last = 0;
  (void)!::read(orders, &last, 1);
  ::_exit(0);
}

// Resident memory of a server's idle connection: TLS 1.3, an exchange, then waiting in readable(); the frames of
// the session's coroutine are in the figure.
void tls_idle_memory(benchmark::State& state) {
  constexpr int warm = 200, count = 2000;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  double each = 0;
  for (auto _ : state) {
    int orders[2], reports[2];
    if (::pipe(orders) != 0 || ::pipe(reports) != 0) std::abort();
    house h(echo, 0, false);
    const pid_t clients = ::fork();
    if (clients == 0) {
      ::close(orders[1]);
      be_clients(h.door.endpoints().front(), orders[0], reports[1], warm, count);
    }
    h.begin();
    const auto round = [&] {
      char c = 'g';
      if (::write(orders[1], &c, 1) != 1 || ::read(reports[0], &c, 1) != 1) std::abort();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      ::malloc_trim(0);
      return static_cast<double>(resident());
    };
    const double before = round();
    each = (round() - before) / count;
    ::close(orders[1]);
    ::waitpid(clients, nullptr, 0);
    for (const int fd : {orders[0], reports[0], reports[1]}) ::close(fd);
  }
  state.counters["octets_each"] = each;
}
BENCHMARK(tls_idle_memory)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace

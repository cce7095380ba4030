#include "briefwerk/net/io_threads.hpp"

#include <atomic>

#include "briefwerk/base/checksum.hpp"
#include "net/support.hpp"

using namespace briefwerk;
using namespace briefwerk::net;
using namespace briefwerk::net::testing;

namespace {

struct tls_pair {
  tls_pair() {
    certificate_request request;
    request.names = {"localhost"};
    const certificate_files files = self_signed(folder, "localhost", request);
    auto made_server = tls_context::server({.certificates = {files}});
    auto made_client = tls_context::client({.ca_file = files.certificate});
    REQUIRE(made_server.has_value());
    REQUIRE(made_client.has_value());
    server = *made_server;
    client = *made_client;
  }
  temporary_folder folder;
  std::shared_ptr<tls_context> server, client;
};

void wait_until(const std::function<bool()>& done) {
  for (int i = 0; i < 12000 && !done(); ++i) std::this_thread::sleep_for(5ms);
}

base::task<void> converse(io_thread& thread, base::endpoint to, tls_context& context, std::atomic<int>& good,
                          std::atomic<int>& ended) {
  bool fine = false;
  {
    result<stream> made = co_await connect(thread, to);
    status secured = made ? status() : fail(made.error());
    if (made) secured = co_await made->start_tls_client(context, "localhost");
    for (int i = 0; secured && i < 20; ++i) {
      const std::string line =
          "line " + std::to_string(i) + std::string(static_cast<std::size_t>(i) * 97, '.') + "\r\n";
      const status sent = co_await made->write(line);
      if (!sent) break;
      const result<std::string> back = co_await read_exactly(*made, line.size());
      fine = back && *back == line && thread.is_current();
      if (!fine) break;
    }
  }
  if (fine) ++good;
  ++ended;
}

// A generator and checker that need no memory: octet i is a function of i.
char octet_at(std::uint64_t i) { return static_cast<char>((i * 2654435761u) >> 24); }

base::task<void> send_all(stream& to, std::uint64_t size, bool& good) {
  std::string block;
  for (std::uint64_t at = 0; at < size;) {
    block.resize(static_cast<std::size_t>(std::min<std::uint64_t>(size - at, 100003)));
    for (char& c : block) c = octet_at(at++);
    const std::string_view whole = block;
    const std::string_view pieces[] = {whole.substr(0, 1), whole.substr(1, block.size() / 2),
                                       whole.substr(1 + std::min(block.size() - 1, block.size() / 2))};
    const status sent = co_await to.write(pieces);
    if (!sent) co_return;
  }
  good = true;
}

base::task<bool> receive_all(stream& from, std::uint64_t size) {
  std::string block(70000, '\0');
  for (std::uint64_t at = 0; at < size;) {
    const auto got = co_await from.read_some(block);
    if (!got) co_return false;
    for (std::size_t i = 0; i < *got; ++i)
      if (block[i] != octet_at(at++)) co_return false;
  }
  co_return true;
}

// 64 MiB in both directions at once, over one connection.
void big_transfer(bool tls) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr std::uint64_t size = 8u << 20;
#else
  constexpr std::uint64_t size = 64u << 20;
#endif
  tls_pair contexts;
  io_threads threads(2);
  listener door;
  REQUIRE(door.bind(loopback()).has_value());
  std::atomic<bool> server_good{false}, client_good{false};
  std::atomic<int> ended{0};
  auto both_ways = [](stream s, tls_context* server, tls_context* client, std::uint64_t octets, std::atomic<bool>& good,
                      std::atomic<int>& count) -> base::task<void> {
    status ready;
    if (server != nullptr) ready = co_await s.start_tls_server(*server);
    if (client != nullptr) ready = co_await s.start_tls_client(*client, "localhost");
    bool sent = false;
    if (ready) {
      base::spawn_here(s.thread(), send_all(s, octets, sent));
      const bool received = co_await receive_all(s, octets);
      // The other direction may still be on its way.
      for (int i = 0; received && !sent && i < 6000; ++i) (void)co_await sleep_for(10ms);
      good = received && sent;
    }
    ++count;
  };
  door.start(threads[0], [&](stream s, io_thread& thread) {
    base::spawn_here(thread,
                     both_ways(std::move(s), tls ? contexts.server.get() : nullptr, nullptr, size, server_good, ended));
  });
  threads.start();
  auto client = [&both_ways](io_thread& thread, base::endpoint to, tls_context* context, std::uint64_t octets,
                             std::atomic<bool>& good, std::atomic<int>& count) -> base::task<void> {
    result<stream> made = co_await connect(thread, to);
    if (!made) co_return;
    co_await both_ways(std::move(*made), nullptr, context, octets, good, count);
  };
  base::spawn(threads[1], client(threads[1], door.endpoints().front(), tls ? contexts.client.get() : nullptr, size,
                                 client_good, ended));
  wait_until([&] { return ended == 2; });
  CHECK(server_good);
  CHECK(client_good);
  threads.stop(1s);
}

}  // namespace

TEST_CASE("64 MiB both ways at once, in the clear") { big_transfer(false); }
TEST_CASE("64 MiB both ways at once, TLS") { big_transfer(true); }

TEST_CASE("a hundred connections at once over TLS, on two threads") {
  tls_pair contexts;
  io_threads threads(2);
  listener door;
  REQUIRE(door.bind(loopback(), threads.size()).has_value());
  std::atomic<int> good{0}, ended{0};
  door.start(threads,
             [&](stream s, io_thread& thread) { base::spawn_here(thread, echo_tls(std::move(s), *contexts.server)); });
  threads.start();
  for (unsigned i = 0; i < 100; ++i) {
    io_thread& thread = threads[i % 2];
    base::spawn(thread, converse(thread, door.endpoints().front(), *contexts.client, good, ended));
  }
  wait_until([&] { return ended == 100; });
  CHECK(good == 100);
  threads.stop(2s);
  CHECK(threads[0].stream_count() + threads[1].stream_count() == 0);
}

TEST_CASE("sleeps keep their order and end when the loop is told to stop") {
  io_thread loop;
  std::vector<int> order;
  auto one = [](std::vector<int>& out, int number, std::chrono::milliseconds time) -> base::task<void> {
    const status slept = co_await sleep_for(time);
    out.push_back(slept ? number : -number);
  };
  base::spawn(loop, one(order, 2, 40ms));
  base::spawn(loop, one(order, 1, 10ms));
  base::spawn(loop, one(order, 3, 1h));
  for (int i = 0; i < 300 && order.size() < 2; ++i) loop.run_for(10ms);
  CHECK(order == std::vector<int>{1, 2});
  auto stop = [](io_thread& on) -> base::task<bool> {
    on.begin_stopping();
    co_return on.is_stopping();
  };
  CHECK(run(loop, stop(loop)));
  loop.run_for(20ms);
  CHECK(order == std::vector<int>{1, 2, -3});
  CHECK(base::sync_wait(sleep_for(1ms)).error() == base::errc::unsupported);  // no loop there
}

TEST_CASE("stop: idle sessions say good-bye, busy ones finish, the stubborn are closed") {
  io_threads threads(1);
  listener door;
  REQUIRE(door.bind(loopback()).has_value());
  // Reads commands of one letter: 'w' works for a while before it answers, 'h' never ends.
  auto session = [](stream s) -> base::task<void> {
    for (;;) {
      const status ready = co_await s.readable();
      if (!ready) {
        if (ready.error() == net::errc::stopping) (void)co_await s.write("bye\n");
        (void)co_await s.shutdown();
        co_return;
      }
      char command[1];
      const auto got = co_await s.read_some(command);
      if (!got) co_return;
      if (command[0] == 'h') {
        (void)co_await s.read_some(command);  // in the middle of a command: not told
        co_return;
      }
      // Work that does not wait on the loop's own sleeps: those end early.
      for (int i = 0; i < 20; ++i) {
        (void)co_await base::wait_for<status>([](base::completion<status> done) {
          std::thread([done = std::move(done)]() mutable {
            std::this_thread::sleep_for(5ms);
            done(status());
          }).detach();
        });
      }
      (void)co_await s.write("done\n");
    }
  };
  std::atomic<int> accepted{0};
  door.start(threads, [&](stream s, io_thread& thread) {
    ++accepted;
    base::spawn_here(thread, session(std::move(s)));
  });
  threads.start();
  // Clients on a loop of their own, so that the stop concerns the server alone.
  io_thread loop;
  const auto open = [&](std::string_view first) {
    auto made = run(loop, connect(loop, door.endpoints().front()));
    REQUIRE(made.has_value());
    auto say = [](stream& s, std::string_view text) -> base::task<status> {
      const status sent = co_await s.write(text);
      co_return sent;
    };
    REQUIRE(run(loop, say(*made, first)).has_value());
    return std::move(*made);
  };
  stream idle = open(""), busy = open("w"), stubborn = open("h");
  wait_until([&] { return accepted == 3; });
  std::this_thread::sleep_for(20ms);
  threads.stop(3s);
  auto rest = [](stream& s) -> base::task<std::string> {
    std::string out;
    char buffer[64];
    for (;;) {
      const auto got = co_await s.read_some(buffer);
      if (!got) co_return out;
      out.append(buffer, *got);
    }
  };
  CHECK(run(loop, rest(idle)) == "bye\n");
  CHECK(run(loop, rest(busy)) == "done\nbye\n");
  CHECK(run(loop, rest(stubborn)).empty());
  const auto refused = run(loop, connect(loop, door.endpoints().front()));
  CHECK(refused.error() == std::errc::connection_refused);
}

TEST_CASE("what other threads post runs, each thread's in its order") {
  constexpr int each = 20000;
  io_threads threads(1);
  threads.start();
  std::vector<int> next(4);  // on the loop
  std::atomic<int> wrong{0}, ran{0};
  std::vector<std::thread> others;
  for (std::size_t who = 0; who < next.size(); ++who) {
    others.emplace_back([&, who] {
      for (int i = 0; i < each; ++i) {
        threads[0].post([&, who, i] {
          if (next[who]++ != i || !threads[0].is_current()) ++wrong;
          ++ran;
        });
      }
    });
  }
  for (auto& one : others) one.join();
  wait_until([&] { return ran == 4 * each; });
  CHECK(ran == 4 * each);
  CHECK(wrong == 0);
  threads.stop(0ms);
}

TEST_CASE("what is posted to a loop that does not run is destroyed with it, and so is what that posts") {
  const auto alive = std::make_shared<int>();
  {
    struct posts_at_its_end {
      io_thread& to;
      std::shared_ptr<int> keeps;
      ~posts_at_its_end() { to.post([kept = std::move(keeps)] {}); }
    };
    io_thread loop;
    loop.post([alive] {});
    loop.post([last = std::make_unique<posts_at_its_end>(loop, alive)] {});
    CHECK(alive.use_count() == 3);
  }
  CHECK(alive.use_count() == 1);
}

TEST_CASE("a stream that is posted to a loop that does not run ends before its loop") {
  io_thread loop;
  result<stream> made = fail(base::errc::cancelled);
  {
    listener host;
    REQUIRE(host.bind(loopback()));
    host.start(loop, [](stream, io_thread&) {});
    made = run(loop, connect(loop, host.endpoints().front()));
  }
  REQUIRE(made);
  loop.post([kept = std::move(*made)] {});
  CHECK(loop.stream_count() != 0);
}

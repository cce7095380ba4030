#include "briefwerk/net/stream.hpp"

#include <sys/socket.h>

#include <thread>

#include "net/support.hpp"

using namespace briefwerk;
using namespace briefwerk::net;
using namespace briefwerk::net::testing;

namespace {

struct pair {
  stream a, b;
};

pair connected(io_thread& loop) {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  return {stream(loop, fds[0]), stream(loop, fds[1])};
}

base::task<status> talk_over_tcp(io_thread& loop, base::endpoint to) {
  result<stream> made = co_await connect(loop, to);
  if (!made) co_return fail(made.error());
  stream s = std::move(*made);
  CHECK(s.peer() == to);
  CHECK(s.local().port != 0);
  const std::string_view pieces[] = {"EHLO ", "", "client.example", "\r\n"};
  const status sent = co_await s.write(pieces);
  CHECK(sent.has_value());
  const result<std::string> back = co_await read_exactly(s, 21);
  CHECK(back.value_or("") == "EHLO client.example\r\n");
  const status closed = co_await s.shutdown();
  CHECK(closed.has_value());
  char rest[10];
  const auto end = co_await s.read_some(rest);
  CHECK(end.error() == base::errc::end_of_stream);
  co_return status();
}

void echo_on(base::endpoint where) {
  io_thread loop;
  listener door;
  const explained<void> bound = door.bind(where);
  if (!bound) {
    MESSAGE("left out: " << bound.error().text);
    return;
  }
  door.start(loop, [](stream s, io_thread& thread) { base::spawn_here(thread, echo(std::move(s))); });
  CHECK(run(loop, talk_over_tcp(loop, door.endpoints().front())).has_value());
  door.stop();
  settle(loop);
  CHECK(loop.stream_count() == 0);
}

}  // namespace

TEST_CASE("what is sent comes back, IPv4") { echo_on(loopback()); }
TEST_CASE("what is sent comes back, IPv6") { echo_on(loopback6()); }

TEST_CASE("connect: errors") {
  io_thread loop;
  listener door;
  REQUIRE(door.bind(loopback()).has_value());
  const base::endpoint gone = door.endpoints().front();
  door.stop();
  const auto refused = run(loop, connect(loop, gone));
  CHECK(refused.error() == std::errc::connection_refused);

  connect_options foreign;
  foreign.source_v4 = base::ip_address::v4({192, 0, 2, 77});  // RFC 5737: not ours
  const auto unavailable = run(loop, connect(loop, gone, foreign));
  CHECK(unavailable.error() == std::errc::address_not_available);
}

TEST_CASE("connect: the configured source address is used") {
  io_thread loop;
  listener door;
  REQUIRE(door.bind(loopback()).has_value());
  base::endpoint seen;
  door.start(loop, [&](stream s, io_thread&) { seen = s.peer(); });
  connect_options options;
  options.source_v4 = base::ip_address::v4({127, 0, 0, 9});
  auto made = run(loop, connect(loop, door.endpoints().front(), options));
  REQUIRE(made.has_value());
  for (int i = 0; i < 100 && seen.port == 0; ++i) loop.run_for(10ms);
  made->close();
  CHECK(seen.address == options.source_v4);
  door.stop();
  settle(loop);
}

TEST_CASE("connect: a listener that never answers meets the deadline") {
  io_thread loop;
  listener_options tight;
  tight.backlog = 0;  // a full queue drops further SYNs
  listener full(tight);
  REQUIRE(full.bind(loopback()).has_value());
  const base::endpoint at = full.endpoints().front();
  std::vector<stream> kept;
  std::error_code met;
  for (int i = 0; i < 8 && !met; ++i) {
    connect_options options;
    options.deadline = 200ms;
    auto made = run(loop, connect(loop, at, options));
    if (made)
      kept.push_back(std::move(*made));
    else
      met = made.error();
  }
  CHECK(met == base::errc::timed_out);
  kept.clear();
  full.stop();
  loop.run_for(10ms);
}

TEST_CASE("deadlines end reads, waits and writes, and the connection stays usable") {
  io_thread loop;
  pair both = connected(loop);
  auto body = [](pair& p) -> base::task<bool> {
    char buffer[16];
    p.a.set_deadline(30ms);
    const auto got = co_await p.a.read_some(buffer);
    CHECK(got.error() == base::errc::timed_out);
    const status ready = co_await p.a.readable();
    CHECK(ready.error() == base::errc::timed_out);
    const std::string much(8u << 20, 'x');
    const status sent = co_await p.a.write(much);
    CHECK(sent.error() == base::errc::timed_out);
    // A shorter deadline after a longer one holds.
    p.b.set_deadline(10min);
    std::string drained(16u << 20, '\0');
    const auto first = co_await p.b.read_some(drained);
    CHECK(first.has_value());
    while (true) {
      const auto more = p.b.try_read(drained);
      if (!more || *more == 0) break;
    }
    p.b.set_deadline(20ms);
    const auto late = co_await p.b.read_some(buffer);
    CHECK(late.error() == base::errc::timed_out);
    const status answered = co_await p.b.write("still here");
    CHECK(answered.has_value());
    const auto heard = co_await p.a.read_some(buffer);
    CHECK(heard.value_or(0) == 10);
    co_return true;
  };
  CHECK(run(loop, body(both)));
}

TEST_CASE("a write has its deadline anew whenever the peer takes something") {
  io_thread loop;
  pair both = connected(loop);
  auto slow_reader = [](stream& from, std::size_t size) -> base::task<void> {
    std::string buffer(64u << 10, '\0');
    while (size > 0) {
      (void)co_await sleep_for(2ms);
      const auto got = co_await from.read_some(buffer);
      if (!got) co_return;
      size -= *got;
    }
  };
  auto body = [](stream& to, std::size_t size) -> base::task<status> {
    to.set_deadline(500ms);
    const std::string much(size, 'x');
    const status sent = co_await to.write(much);
    co_return sent;
  };
  constexpr std::size_t size = 24u << 20;  // more than 500 ms at this reader's pace
  base::spawn(loop, slow_reader(both.b, size));
  CHECK(run(loop, body(both.a, size)).has_value());
  both.a.close();
  loop.run_for(50ms);
}

TEST_CASE("a read and a write wait at the same time; cancel_read ends only the read") {
  io_thread loop;
  pair both = connected(loop);
  struct outcome {
    std::error_code read;
    status write;
    bool read_ended = false, write_ended = false;
  } seen;
  auto reading = [](stream& s, outcome& out) -> base::task<void> {
    const status r = co_await s.readable();
    out.read = r ? std::error_code() : r.error();
    out.read_ended = true;
  };
  auto writing = [](stream& s, outcome& out) -> base::task<void> {
    const std::string much(4u << 20, 'y');
    out.write = co_await s.write(much);
    out.write_ended = true;
  };
  base::spawn(loop, reading(both.a, seen));
  base::spawn(loop, writing(both.a, seen));
  loop.run_for(20ms);
  CHECK_FALSE(seen.read_ended);
  CHECK_FALSE(seen.write_ended);
  SUBCASE("a second read is refused") {
    auto second = [](stream& s) -> base::task<std::error_code> {
      char c[1];
      const auto got = co_await s.read_some(c);
      co_return got.error();
    };
    CHECK(run(loop, second(both.a)) == std::errc::operation_in_progress);
    both.a.cancel();
  }
  SUBCASE("cancel_read") {
    both.a.cancel_read();
    CHECK_FALSE(seen.read_ended);  // posted
    loop.run_for(20ms);
    CHECK(seen.read_ended);
    CHECK(seen.read == base::errc::cancelled);
    CHECK_FALSE(seen.write_ended);
    run(loop, read_exactly(both.b, 4u << 20));
    loop.run_for(20ms);
    CHECK(seen.write_ended);
    CHECK(seen.write.has_value());
  }
  SUBCASE("close") { both.a.close(); }
  loop.run_for(20ms);
  CHECK(seen.read_ended);
  CHECK(seen.write_ended);
}

TEST_CASE("a resumed chain may destroy the stream") {
  io_thread loop;
  pair both = connected(loop);
  auto owner = [](std::unique_ptr<stream> s) -> base::task<bool> {
    char buffer[4];
    const auto got = co_await s->read_some(buffer);
    s.reset();
    co_return got.has_value();
  };
  auto moved = std::make_unique<stream>(std::move(both.a));
  auto poke = [](stream& s) -> base::task<void> { (void)co_await s.write("ping"); };
  base::spawn(loop, poke(both.b));
  CHECK(run(loop, owner(std::move(moved))));
}

TEST_CASE("a stream destroyed while it waits answers cancelled") {
  io_thread loop;
  pair both = connected(loop);
  auto victim = std::make_unique<stream>(std::move(both.a));
  std::error_code seen;
  auto waiting = [](stream& s, std::error_code& out) -> base::task<void> {
    char buffer[4];
    const auto got = co_await s.read_some(buffer);
    out = got.error();
  };
  base::spawn(loop, waiting(*victim, seen));
  loop.run_for(5ms);
  victim.reset();
  loop.run_for(20ms);
  CHECK(seen == base::errc::cancelled);
}

TEST_CASE("a peer that resets is an error, not an end") {
  io_thread loop;
  listener door;
  REQUIRE(door.bind(loopback()).has_value());
  std::optional<stream> accepted;
  door.start(loop, [&](stream s, io_thread&) { accepted.emplace(std::move(s)); });
  auto made = run(loop, connect(loop, door.endpoints().front()));
  REQUIRE(made.has_value());
  for (int i = 0; i < 100 && !accepted; ++i) loop.run_for(10ms);
  const linger hard{1, 0};
  ::setsockopt(made->native_handle(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  made->close();
  auto body = [](stream& s) -> base::task<std::error_code> {
    char buffer[4];
    const auto got = co_await s.read_some(buffer);
    co_return got.error();
  };
  CHECK(run(loop, body(*accepted)) == std::errc::connection_reset);
  accepted.reset();
  door.stop();
  settle(loop);
}

TEST_CASE("shutdown with linger lets the last reply through although input is unread") {
  io_thread loop;
  listener door;
  REQUIRE(door.bind(loopback()).has_value());
  door.start(loop, [](stream s, io_thread& thread) {
    auto session = [](stream own) -> base::task<void> {
      (void)co_await own.readable();
      (void)co_await own.write("421 too many errors\r\n");
      (void)co_await own.shutdown(2s);
    };
    base::spawn_here(thread, session(std::move(s)));
  });
  auto body = [](io_thread& on, base::endpoint to) -> base::task<result<std::string>> {
    result<stream> made = co_await connect(on, to);
    if (!made) co_return fail(made.error());
    const std::string much(200000, 'z');
    (void)co_await made->write(much);
    (void)co_await sleep_for(30ms);
    result<std::string> reply = co_await read_exactly(*made, 21);
    co_return reply;
  };
  CHECK(run(loop, body(loop, door.endpoints().front())).value_or("lost") == "421 too many errors\r\n");
  door.stop();
  settle(loop);
}

TEST_CASE("a stream without a connection") {
  io_thread loop;
  auto body = []() -> base::task<bool> {
    stream none;
    char buffer[4];
    const auto got = co_await none.read_some(buffer);
    const status sent = co_await none.write("x");
    const status closed = co_await none.shutdown();
    co_return got.error() == base::errc::cancelled&& sent.error() == base::errc::cancelled && !closed &&
        !none.is_open();
  };
  CHECK(run(loop, body()));
}

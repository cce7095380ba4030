#include "briefwerk/net/listener.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/socket_address.hpp"
#include "net/support.hpp"

using namespace briefwerk;
using namespace briefwerk::net;
using namespace briefwerk::net::testing;

namespace {

// Connects and answers the first line (up to 64 octets) that comes, or the error.
base::task<result<std::string>> first_words(io_thread& loop, base::endpoint to) {
  result<stream> made = co_await connect(loop, to);
  if (!made) co_return fail(made.error());
  made->set_deadline(5s);
  std::string out(64, '\0');
  const auto got = co_await made->read_some(out);
  if (!got) co_return fail(got.error());
  out.resize(*got);
  co_return out;
}

void greet(stream s, io_thread& thread, std::vector<std::unique_ptr<stream>>& kept) {
  kept.push_back(std::make_unique<stream>(std::move(s)));
  auto hello = [](stream& to) -> base::task<void> { (void)co_await to.write("220 hello\r\n"); };
  base::spawn_here(thread, hello(*kept.back()));
}

}  // namespace

TEST_CASE("what cannot be bound says address, port and reason") {
  listener first;
  REQUIRE(first.bind(loopback(), 2).has_value());
  const base::endpoint taken = first.endpoints().front();
  listener second;
  const auto in_use = second.bind(taken, 2);
  REQUIRE_FALSE(in_use.has_value());  // although both would share the port
  CHECK(in_use.error().code == std::errc::address_in_use);
  CHECK(in_use.error().text ==
        "cannot listen on " + taken.to_string() + ": Address already in use (another program listens there)");
  const auto foreign = second.bind({base::ip_address::v4({192, 0, 2, 1}), 2525});
  REQUIRE_FALSE(foreign.has_value());
  CHECK(foreign.error().text.starts_with("cannot listen on 192.0.2.1:2525: "));
  CHECK(foreign.error().code == std::errc::address_not_available);
}

TEST_CASE("the same port for IPv4 and IPv6 side by side") {
  io_thread loop;
  listener door;
  const base::endpoint any6{base::ip_address::v6({}), 0};
  if (!door.bind(any6).has_value()) {
    MESSAGE("left out: no IPv6 here");
    return;
  }
  CHECK(door.bind({base::ip_address::v4({0, 0, 0, 0}), door.endpoints().front().port}).has_value());
}

TEST_CASE("limits: in total and for one address; a place is free again after the end") {
  io_thread loop;
  listener_options options;
  options.refusal = "421 4.7.0 too many connections\r\n";
  std::size_t total = 0, each = 0;
  SUBCASE("in total") { total = 2; }
  SUBCASE("for one address") { each = 2; }
  options.limits = std::make_shared<connection_limits>(total, each);
  listener door(options);
  REQUIRE(door.bind(loopback()).has_value());
  std::vector<std::unique_ptr<stream>> kept;
  door.start(loop, [&](stream s, io_thread& thread) { greet(std::move(s), thread, kept); });
  const base::endpoint at = door.endpoints().front();
  CHECK(run(loop, first_words(loop, at)).value_or("") == "220 hello\r\n");
  CHECK(run(loop, first_words(loop, at)).value_or("") == "220 hello\r\n");
  CHECK(options.limits->count() == 2);
  CHECK(options.limits->count(at.address) == 2);
  CHECK(run(loop, first_words(loop, at)).value_or("") == options.refusal);
  kept.pop_back();
  CHECK(options.limits->count() == 1);
  CHECK(run(loop, first_words(loop, at)).value_or("") == "220 hello\r\n");
  kept.clear();
  CHECK(options.limits->count() == 0);
  door.stop();
  settle(loop);
}

TEST_CASE("IPv6 peers count by their /64") {
  connection_limits limits(0, 1);
  std::array<std::uint8_t, 16> octets{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};
  const auto first = limits.admit(base::ip_address::v6(octets));
  CHECK(first != nullptr);
  octets[15] = 2;
  CHECK(limits.admit(base::ip_address::v6(octets)) == nullptr);
  octets[7] = 2;
  CHECK(limits.admit(base::ip_address::v6(octets)) != nullptr);
}

TEST_CASE("no descriptors left: accepting goes on when there are some again") {
  io_thread loop;
  listener door;
  REQUIRE(door.bind(loopback()).has_value());
  std::vector<std::unique_ptr<stream>> kept;
  door.start(loop, [&](stream s, io_thread& thread) { greet(std::move(s), thread, kept); });
  loop.run_for(5ms);
  // The client's socket exists before the shortage; its connection waits in the queue.
  const descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 3;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const socket_address to = to_socket_address(door.endpoints().front());
  const int connected = ::connect(client.get(), to.get(), to.length);
  loop.run_for(30ms);
  const std::size_t while_short = kept.size();
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(connected == 0);
  CHECK(while_short == 0);
  for (int i = 0; i < 300 && kept.empty(); ++i) loop.run_for(10ms);
  CHECK(kept.size() == 1);
  kept.clear();
  door.stop();
  settle(loop);
}

TEST_CASE("a Unix socket: permissions, a stale file, a living one, gone at the end") {
  temporary_folder folder;
  const std::string path = folder / "control";
  io_thread loop;
  {
    // What a crash leaves: the file without a listener.
    const descriptor crashed(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    REQUIRE(::bind(crashed.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  }
  listener door;
  REQUIRE(door.bind_unix(path, 0660).has_value());
  struct stat about{};
  REQUIRE(::stat(path.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0660);
  listener second;
  CHECK(second.bind_unix(path).error().code == std::errc::address_in_use);
  door.start(loop, [](stream s, io_thread& thread) { base::spawn_here(thread, echo(std::move(s))); });
  auto talk = [](io_thread& on, std::string at) -> base::task<result<std::string>> {
    result<stream> made = co_await connect_unix(on, at);
    if (!made) co_return fail(made.error());
    (void)co_await made->write("status\n");
    result<std::string> back = co_await read_exactly(*made, 7);
    co_return back;
  };
  CHECK(run(loop, talk(loop, path)).value_or("") == "status\n");
  door.stop();
  settle(loop);
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK_FALSE(run(loop, talk(loop, path)).has_value());
}

TEST_CASE("a socket that is bound already is taken over") {
  io_thread loop;
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const socket_address name = to_socket_address(loopback());
  REQUIRE(::bind(fd, name.get(), name.length) == 0);
  listener door;
  REQUIRE(door.adopt(fd).has_value());
  std::vector<std::unique_ptr<stream>> kept;
  door.start(loop, [&](stream s, io_thread& thread) { greet(std::move(s), thread, kept); });
  CHECK(run(loop, first_words(loop, door.endpoints().front())).value_or("") == "220 hello\r\n");
  kept.clear();
  door.stop();
  settle(loop);
  listener wrong;
  CHECK_FALSE(wrong.adopt(::open("/dev/null", O_RDONLY)).has_value());
}

// Against a real name server, NSD, on a loopback port.

#include "briefwerk/net/dns_resolver.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/dns_cache.hpp"
#include "net/socket_address.hpp"
#include "net/support.hpp"

using namespace briefwerk;
using namespace briefwerk::net;
using namespace briefwerk::net::testing;
using base::dns_status;
using base::dns_type;

namespace {

std::string find_nsd() {
  for (const char* path : {"/usr/sbin/nsd", "/usr/local/sbin/nsd", "/usr/bin/nsd"})
    if (::access(path, X_OK) == 0) return path;
  return {};
}

// A UDP port that is free for TCP too.
std::uint16_t free_port() {
  for (int i = 0; i < 100; ++i) {
    listener tcp;
    if (!tcp.bind(loopback())) continue;
    const std::uint16_t port = tcp.endpoints().front().port;
    const descriptor udp(::socket(AF_INET, SOCK_DGRAM, 0));
    const socket_address name = to_socket_address(loopback(port));
    if (::bind(udp.get(), name.get(), name.length) == 0) return port;
  }
  return 0;
}

class name_server {
 public:
  explicit name_server(const std::string& program) : port_(free_port()) {
    std::string zone = R"($ORIGIN example.org.
$TTL 300
@ IN SOA ns hostmaster 1 3600 900 86400 60
@ IN NS ns
ns IN A 127.0.0.1
@ IN A 192.0.2.1
@ IN A 192.0.2.2
@ IN AAAA 2001:db8::1
@ IN MX 10 mx1
@ IN MX 20 mx2.example.net.
@ IN TXT "v=spf1 ip4:192.0.2.0/24 " "-all"
null IN MX 0 .
alias IN CNAME alias2
alias2 IN CNAME @
dangling IN CNAME missing
_25._tcp.mx1 IN TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
*.wild IN A 192.0.2.9
7.2.0.192.in-addr IN PTR host
)";
    for (int i = 0; i < 40; ++i)
      zone += "big IN TXT \"" + std::string(200, static_cast<char>('a' + i % 26)) + std::to_string(i) + "\"\n";
    save(folder_ / "zone", zone);
    const std::string config = "server:\n  ip-address: 127.0.0.1\n  port: " + std::to_string(port_) +
                               "\n  username: \"\"\n  chroot: \"\"\n" + "  zonesdir: \"" + (folder_ / "") +
                               "\"\n  database: \"\"\n  pidfile: \"" + (folder_ / "pid") + "\"\n  xfrdfile: \"" +
                               (folder_ / "xfrd") + "\"\n  zonelistfile: \"" + (folder_ / "list") + "\"\n  xfrdir: \"" +
                               (folder_ / "") + "\"\n  server-count: 1\n" +
                               "remote-control:\n  control-enable: no\nzone:\n  name: example.org\n  zonefile: zone\n";
    save(folder_ / "nsd.conf", config);
    pid_ = ::fork();
    if (pid_ == 0) {
      const int quiet = ::open("/dev/null", O_WRONLY);
      ::dup2(quiet, 1);
      ::dup2(quiet, 2);
      const std::string file = folder_ / "nsd.conf";
      ::execl(program.c_str(), program.c_str(), "-d", "-c", file.c_str(), nullptr);
      ::_exit(127);
    }
  }
  ~name_server() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  base::endpoint at() const { return loopback(port_); }

 private:
  temporary_folder folder_;
  std::uint16_t port_;
  pid_t pid_;
};

std::unique_ptr<dns_resolver> make(io_thread& loop, dns_resolver_options options) {
  auto made = dns_resolver::create(loop, std::move(options));
  REQUIRE(made.has_value());
  return std::move(*made);
}

}  // namespace

TEST_CASE("a real name server") {
  const std::string program = find_nsd();
  if (program.empty()) {
    MESSAGE("left out: nsd is not installed");
    return;
  }
  name_server server(program);
  io_thread loop;
  dns_resolver_options options;
  options.servers = {server.at()};
  auto resolver = make(loop, options);
  const auto ask = [&](const char* name, dns_type type) { return run(loop, resolver->query(name, type)); };

  // Until it has read its zone. Failures are kept five seconds, so each attempt is a resolver of its own.
  bool up = false;
  for (int i = 0; i < 100 && !up; ++i) {
    dns_resolver_options short_wait = options;
    short_wait.timeout = 100ms;
    short_wait.tries = 1;
    auto probe = make(loop, short_wait);
    up = run(loop, probe->query("ns.example.org", dns_type::a)).status == dns_status::found;
    if (!up) loop.run_for(50ms);
  }
  REQUIRE(up);

  SUBCASE("types") {
    const auto a = ask("Example.ORG.", dns_type::a);
    CHECK(a.status == dns_status::found);
    CHECK(a.records.size() == 2);
    CHECK(a.ttl <= 300s);
    CHECK(a.ttl > 200s);
    CHECK_FALSE(a.authenticated);
    CHECK(std::get<base::ip_address>(ask("example.org", dns_type::aaaa).records.at(0)).to_string() == "2001:db8::1");
    const auto mx = ask("example.org", dns_type::mx);
    CHECK(mx.records.size() == 2);
    const auto txt = ask("example.org", dns_type::txt);
    CHECK(std::get<base::dns_txt>(txt.records.at(0)).text == "v=spf1 ip4:192.0.2.0/24 -all");
    const auto null_mx = ask("null.example.org", dns_type::mx);
    CHECK(std::get<base::dns_mx>(null_mx.records.at(0)).exchange.empty());
    const auto tlsa = std::get<base::dns_tlsa>(ask("_25._tcp.mx1.example.org", dns_type::tlsa).records.at(0));
    CHECK(tlsa.usage == 3);
    CHECK(tlsa.data.size() == 32);
    const auto ptr = ask("7.2.0.192.in-addr.example.org", dns_type::ptr);
    CHECK(std::get<base::dns_name>(ptr.records.at(0)).name == "host.example.org");
    CHECK(ask("anything.wild.example.org", dns_type::a).status == dns_status::found);
  }
  SUBCASE("aliases") {
    const auto got = ask("alias.example.org", dns_type::a);
    CHECK(got.status == dns_status::found);
    CHECK(got.canonical_name == "example.org");
    CHECK(ask("dangling.example.org", dns_type::a).status == dns_status::no_name);
  }
  SUBCASE("negative answers") {
    CHECK(ask("nothing.example.org", dns_type::a).status == dns_status::no_name);
    CHECK(ask("nothing.example.org", dns_type::a).ttl <= 60s);
    CHECK(ask("ns.example.org", dns_type::mx).status == dns_status::no_data);
    CHECK(ask("not-our-zone.example", dns_type::a).status == dns_status::failed);
  }
  SUBCASE("an answer larger than UDP takes comes over TCP") {
    const auto got = ask("big.example.org", dns_type::txt);
    CHECK(got.status == dns_status::found);
    CHECK(got.records.size() == 40);
  }
  SUBCASE("names that are not asked") {
    CHECK(ask("b\xc3\xbc"
              "cher.example.org",
              dns_type::a)
              .status == dns_status::failed);
    CHECK(ask("a..example.org", dns_type::a).status == dns_status::no_name);
    CHECK(ask(std::string(64, 'a').append(".example.org").c_str(), dns_type::a).status == dns_status::no_name);
  }
  SUBCASE("many at once, from several threads") {
    io_threads threads(2);
    auto shared = dns_resolver::create(threads, options);
    REQUIRE(shared.has_value());
    threads.start();
    std::atomic<int> found{0}, ended{0};
    auto one = [](dns_resolver& with, std::string name, std::atomic<int>& good,
                  std::atomic<int>& all) -> base::task<void> {
      const auto got = co_await with.query(std::move(name), dns_type::a);
      if (got.status == dns_status::found) ++good;
      ++all;
    };
    for (int i = 0; i < 200; ++i)
      base::spawn(threads[static_cast<unsigned>(i) % 2],
                  one(**shared, "h" + std::to_string(i % 50) + ".wild.example.org", found, ended));
    for (int i = 0; i < 2000 && ended < 200; ++i) std::this_thread::sleep_for(10ms);
    CHECK(found == 200);
    // From a chain that runs elsewhere.
    CHECK(base::sync_wait((*shared)->query("example.org", dns_type::mx)).status == dns_status::found);
    shared->reset();
    threads.stop(1s);
  }
}

TEST_CASE("a silent server: the question fails in time, and so do those that wait when the resolver goes") {
  io_thread loop;
  const descriptor silent(::socket(AF_INET, SOCK_DGRAM, 0));
  const socket_address name = to_socket_address(loopback());
  REQUIRE(::bind(silent.get(), name.get(), name.length) == 0);
  dns_resolver_options options;
  options.servers = {local_of(silent.get())};
  options.timeout = 50ms;
  options.tries = 2;
  auto resolver = make(loop, options);
  CHECK(run(loop, resolver->query("example.org", dns_type::a)).status == dns_status::failed);

  options.timeout = 60s;
  auto patient = make(loop, options);
  std::optional<base::dns_answer> seen;
  auto wait = [](dns_resolver& with, std::optional<base::dns_answer>& out) -> base::task<void> {
    out = co_await with.query("example.net", dns_type::a);
  };
  base::spawn(loop, wait(*patient, seen));
  loop.run_for(50ms);
  CHECK_FALSE(seen.has_value());
  patient.reset();
  loop.run_for(50ms);
  REQUIRE(seen.has_value());
  CHECK(seen->status == dns_status::failed);
  resolver.reset();
  loop.run_for(10ms);
}

TEST_CASE("answers are kept for their time, and the eldest go first") {
  dns_cache cache(2);
  const auto now = std::chrono::steady_clock::now();
  base::dns_answer answer;
  answer.status = dns_status::found;
  cache.put("a", answer, now + 10s);
  cache.put("b", answer, now + 20s);
  CHECK(cache.find("a", now + 4s)->ttl == 6s);
  CHECK_FALSE(cache.find("a", now + 10s).has_value());
  cache.put("a", answer, now + 10s);
  CHECK(cache.find("b", now).has_value());
  cache.put("c", answer, now + 10s);
  CHECK_FALSE(cache.find("a", now).has_value());
  CHECK(cache.find("b", now).has_value());
  CHECK(cache.find("c", now).has_value());
}

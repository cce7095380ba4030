#include "briefwerk/net/proxy_protocol.hpp"

#include <cstring>

#include "briefwerk/net/listener.hpp"
#include "net/support.hpp"

using namespace briefwerk;
using namespace briefwerk::net;
using namespace briefwerk::net::testing;

namespace {

const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string v2(char command, char family, const std::string& block) {
  return signature + command + family + static_cast<char>(block.size() >> 8) + static_cast<char>(block.size() & 0xff) +
         block;
}

const std::string block4("\xc0\x00\x02\x01\xc6\x33\x64\x01\x01\x02\x00\x19", 12);
const std::string block6(
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x01\x02\x00\x19", 36);

// From a block of its exact size, so that the sanitizer sees one octet too many.
base::result<std::optional<proxy_header>> parse(std::string_view text) {
  const auto block = std::make_unique<char[]>(text.size() + (text.empty() ? 1 : 0));
  std::memcpy(block.get(), text.data(), text.size());
  return parse_proxy_header({block.get(), text.size()});
}

struct row {
  const char* why;
  std::string in;
  std::string source;  // empty: none is told
  std::string destination;
};

const row good[] = {
    {"§2.1 IPv4", "PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n", "192.0.2.1:56324", "198.51.100.1:25"},
    {"§2.1 IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", "[2001:db8::1]:1", "[2001:db8::2]:65535"},
    {"§2.1 unknown", "PROXY UNKNOWN\r\n", "", ""},
    {"§2.1 unknown, with anything", "PROXY UNKNOWN ffff:f...f 65535 what ever\r\n", "", ""},
    {"§2.1 an IPv4-mapped address counts as what it means", "PROXY TCP6 ::ffff:192.0.2.1 ::1 0 0\r\n", "192.0.2.1:0",
     "[::1]:0"},
    {"§2.2 IPv4", v2(0x21, 0x11, block4), "192.0.2.1:258", "198.51.100.1:25"},
    {"§2.2 IPv6", v2(0x21, 0x21, block6), "[2001:db8::1]:258", "[2001:db8::2]:25"},
    {"§2.2 additional fields are skipped",
     v2(0x21, 0x11,
        block4 + std::string("\x04\x00\x03"
                             "abc",
                             6)),
     "192.0.2.1:258", "198.51.100.1:25"},
    {"§2.2 LOCAL: a health check", v2(0x20, 0x00, ""), "", ""},
    {"§2.2 LOCAL with addresses that do not count", v2(0x20, 0x11, block4), "", ""},
    {"§2.2 UNSPEC", v2(0x21, 0x00, "whatever"), "", ""},
    {"§2.2 a Unix socket before the proxy", v2(0x21, 0x31, std::string(216, 'x')), "", ""},
};

}  // namespace

TEST_CASE("headers, whole, with what follows, and cut at every octet") {
  for (const row& each : good) {
    CAPTURE(each.why);
    for (const std::string& tail : {std::string(), std::string("EHLO x\r\n"), each.in}) {
      const auto parsed = parse(each.in + tail);
      REQUIRE(parsed.has_value());
      REQUIRE(parsed->has_value());
      CHECK((*parsed)->size == each.in.size());
      CHECK((*parsed)->forwarded.has_value() == !each.source.empty());
      if (!(*parsed)->forwarded) continue;
      CHECK((*parsed)->forwarded->source.to_string() == each.source);
      CHECK((*parsed)->forwarded->destination.to_string() == each.destination);
    }
    for (std::size_t cut = 0; cut < each.in.size(); ++cut) {
      CAPTURE(cut);
      const auto parsed = parse(each.in.substr(0, cut));
      REQUIRE(parsed.has_value());
      CHECK_FALSE(parsed->has_value());
    }
  }
}

TEST_CASE("what is no header, or a wrong one") {
  const std::string long_line = "PROXY UNKNOWN " + std::string(200, 'x');
  struct {
    const char* why;
    std::string in;
    base::errc error;
  } const rows[] = {
      {"another protocol", "EHLO client.example\r\n", base::errc::not_found},
      {"the name in small letters", "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", base::errc::not_found},
      {"TLS", "\x16\x03\x01\x02\x05", base::errc::not_found},
      {"a signature with one octet wrong", signature.substr(0, 11) + "X", base::errc::not_found},
      {"one address alone", "PROXY TCP4 192.0.2.1\r\n", base::errc::malformed},
      {"two spaces", "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", base::errc::malformed},
      {"a space at the end", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", base::errc::malformed},
      {"another family", "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", base::errc::malformed},
      {"UNKNOWN goes on", "PROXY UNKNOWNS\r\n", base::errc::malformed},
      {"an address of the other family", "PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n", base::errc::malformed},
      {"an IPv4 address as TCP6", "PROXY TCP6 192.0.2.1 2001:db8::2 1 2\r\n", base::errc::malformed},
      {"octets above 255", "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", base::errc::malformed},
      {"a port above 65535", "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", base::errc::malformed},
      {"a port with a leading zero", "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", base::errc::malformed},
      {"a port with a sign", "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", base::errc::malformed},
      {"an empty line", "PROXY \r\n", base::errc::malformed},
      {"no end within 107 octets", long_line, base::errc::limit_exceeded},
      {"an end behind 107 octets", long_line + "\r\n", base::errc::limit_exceeded},
      {"version 3", v2(0x31, 0x11, block4), base::errc::malformed},
      {"version 1 in the binary form", v2(0x11, 0x11, block4), base::errc::malformed},
      {"an unknown command", v2(0x22, 0x11, block4), base::errc::malformed},
      {"datagrams", v2(0x21, 0x12, block4), base::errc::malformed},
      {"an unknown family", v2(0x21, 0x41, block4), base::errc::malformed},
      {"IPv4 with too few octets", v2(0x21, 0x11, block4.substr(1)), base::errc::malformed},
      {"IPv6 with an IPv4 block", v2(0x21, 0x21, block4), base::errc::malformed},
      {"longer than anybody needs", signature + std::string("\x21\x11\x10\x00", 4), base::errc::limit_exceeded},
  };
  for (const auto& each : rows) {
    CAPTURE(each.why);
    const auto parsed = parse(each.in);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error() == each.error);
    // Cut, it is the same, or not known yet; never a header.
    for (std::size_t cut = 0; cut < each.in.size(); ++cut) {
      const auto part = parse(each.in.substr(0, cut));
      CHECK((part ? !part->has_value() : part.error() == each.error));
    }
  }
}

namespace {

// Each session says whom it sees, and what the peer sends first.
struct teller {
  explicit teller(listener_options options) : door(std::move(options)) {
    REQUIRE(door.bind(loopback()).has_value());
    door.start(loop, [](stream s, io_thread& thread) { base::spawn_here(thread, tell(std::move(s))); });
  }
  ~teller() {
    door.stop();
    settle(loop);
  }

  static base::task<void> tell(stream s) {
    const std::string hello = s.peer().to_string() + "\n";
    (void)co_await s.write(hello);
    char buffer[64];
    const auto got = co_await s.read_some(buffer);
    if (got) (void)co_await s.write(std::string_view(buffer, *got));
    (void)co_await s.shutdown();
  }

  // Sends the pieces with pauses between them, and answers all that comes back; "" where the connection just ends.
  std::string says(std::vector<std::string> pieces) {
    return run(loop, speak(loop, door.endpoints().front(), std::move(pieces)));
  }

  static base::task<std::string> speak(io_thread& loop, base::endpoint to, std::vector<std::string> pieces) {
    auto made = co_await connect(loop, to);
    if (!made) co_return "not connected";
    for (const std::string& each : pieces) {
      (void)co_await made->write(each);
      (void)co_await loop.sleep_for(5ms);
    }
    std::string all;
    char buffer[256];
    made->set_deadline(5s);
    for (;;) {
      const auto got = co_await made->read_some(buffer);
      if (!got) break;
      all.append(buffer, *got);
    }
    co_return all;
  }

  io_thread loop;
  listener door;
};

listener_options believing(const char* network) {
  listener_options options;
  options.proxies.networks = {base::ip_network::parse(network).value()};
  options.proxies.wait = 1s;
  return options;
}

}  // namespace

TEST_CASE("a listener believes the header of a listed proxy, in whatever pieces it comes") {
  teller server(believing("127.0.0.0/8"));
  const std::string line = "PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\r\n";
  CHECK(server.says({line + "x"}) == "192.0.2.7:4711\nx");
  CHECK(server.says({"P", "RO", line.substr(3, 30), line.substr(33), "x"}) == "192.0.2.7:4711\nx");
  CHECK(server.says({v2(0x21, 0x21, block6) + "x"}) == "[2001:db8::1]:258\nx");
  const std::string local = server.says({v2(0x20, 0, "") + "x"});
  CHECK(local.starts_with("127.0.0.1:"));
  CHECK(local.ends_with("\nx"));
}

TEST_CASE("a listed proxy without a header is refused, or taken as itself") {
  std::vector<std::error_code> failures;
  listener_options options = believing("127.0.0.0/8");
  options.proxy_failed = [&](const base::endpoint&, std::error_code why) { failures.push_back(why); };
  SUBCASE("refused") {
    teller server(options);
    CHECK(server.says({"EHLO x\r\n"}) == "");
    CHECK(server.says({}) == "");  // silence
    CHECK(server.says({"PROXY TCP4 1\r\n"}) == "");
    REQUIRE(failures.size() == 3);
    CHECK(failures[0] == base::errc::not_found);
    CHECK(failures[1] == base::errc::timed_out);
    CHECK(failures[2] == base::errc::malformed);
  }
  SUBCASE("taken as itself, and nothing that it said is lost") {
    options.proxies.required = false;
    teller server(options);
    const std::string said = server.says({"PRO", "VE it\r\n"});
    CHECK(said.starts_with("127.0.0.1:"));
    CHECK(said.ends_with("\nPROVE it\r\n"));
    CHECK(server.says({"PROXY TCP4 1\r\n"}) == "");  // a wrong header is never passed on
    CHECK(failures.size() == 1);
  }
  SUBCASE("taken as itself when it waits for the greeting") {
    options.proxies.required = false;
    teller server(options);
    auto wait = [](io_thread& loop, base::endpoint to) -> base::task<std::string> {
      auto made = co_await connect(loop, to);
      char buffer[64];
      const auto got = co_await made->read_some(buffer);
      co_return std::string(buffer, got.value_or(0));
    };
    CHECK(run(server.loop, wait(server.loop, server.door.endpoints().front())).starts_with("127.0.0.1:"));
  }
}

TEST_CASE("a header of somebody who is not listed is the session's, as any other octets") {
  teller server(believing("192.0.2.0/24"));
  const std::string line = "PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\r\n";
  const std::string said = server.says({line});
  CHECK(said.starts_with("127.0.0.1:"));
  CHECK(said.ends_with("\n" + line));
}

TEST_CASE("limits and refusals go by the address that the proxy tells") {
  listener_options options = believing("127.0.0.0/8");
  options.limits = std::make_shared<connection_limits>(0, 1);
  options.refusal = "limit\n";
  options.turn_away = [](const base::endpoint& peer) -> std::optional<std::string> {
    if (peer.address == base::ip_address::v4({192, 0, 2, 66})) return "banned\n";
    return std::nullopt;
  };
  std::string asked;
  options.standing_of = [&asked](const base::endpoint& peer) {
    asked += peer.address.to_string() + ' ';
    return standing::doubtful;
  };
  const auto held = options.limits->admit(base::ip_address::v4({192, 0, 2, 8}));
  teller server(options);
  CHECK(server.says({"PROXY TCP4 192.0.2.66 127.0.0.1 1 25\r\n"}) == "banned\n");
  CHECK(server.says({"PROXY TCP4 192.0.2.8 127.0.0.1 1 25\r\n"}) == "limit\n");
  CHECK(server.says({"PROXY TCP4 192.0.2.9 127.0.0.1 1 25\r\nx"}) == "192.0.2.9:1\nx");
  CHECK_MESSAGE(asked == "192.0.2.9 ", "of who comes in only");
}

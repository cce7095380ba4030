#include "briefwerk/net/tls_context.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "net/support.hpp"

using namespace briefwerk;
using namespace briefwerk::net;
using namespace briefwerk::net::testing;

namespace {

// Both ends of one handshake.
struct meeting {
  stream server, client;
  status server_result, client_result;
  bool server_done = false;
};

base::task<void> accept_side(meeting& m, tls_context& context) {
  m.server_result = co_await m.server.start_tls_server(context);
  m.server_done = true;
  if (m.server_result) {
    (void)co_await m.server.write("hello");  // carries TLS 1.3's tickets as well
  } else {
    m.server.close();
  }
}

base::task<bool> connect_side(meeting& m, tls_context& context, std::string host) {
  m.client_result = co_await m.client.start_tls_client(context, host);
  if (m.client_result) {
    const result<std::string> greeting = co_await read_exactly(m.client, 5);
    if (!greeting) m.client_result = fail(greeting.error());
  } else {
    m.client.close();
  }
  co_return m.client_result.has_value();
}

meeting shake(io_thread& loop, tls_context& server, tls_context& client, const std::string& host) {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  meeting m{stream(loop, fds[0]), stream(loop, fds[1]), {}, {}};
  base::spawn(loop, accept_side(m, server));
  run(loop, connect_side(m, client, host));
  for (int i = 0; i < 500 && !m.server_done; ++i) loop.run_for(10ms);
  loop.run_for(5ms);
  REQUIRE(m.server_done);
  return m;
}

std::shared_ptr<tls_context> make_server(tls_server_options options) {
  auto made = tls_context::server(std::move(options));
  if (!made) FAIL(made.error().text);
  return *made;
}

std::shared_ptr<tls_context> make_client(tls_client_options options) {
  auto made = tls_context::client(std::move(options));
  if (!made) FAIL(made.error().text);
  return *made;
}

struct fixture {
  fixture() {
    certificate_request request;
    request.names = {"mail.example.org", "127.0.0.1"};
    files = self_signed(folder, "mail", request);
    server_options.certificates = {files};
    client_options.ca_file = files.certificate;
    client_options.sessions_kept = 0;
  }
  temporary_folder folder;
  io_thread loop;
  certificate_files files;
  tls_server_options server_options;
  tls_client_options client_options;
};

}  // namespace

TEST_CASE("handshake, what both sides know, channel bindings") {
  fixture f;
  f.server_options.alpn = {"imap", "smtp"};
  f.client_options.alpn = {"smtp"};
  auto server = make_server(f.server_options);
  auto client = make_client(f.client_options);
  meeting m = shake(f.loop, *server, *client, "mail.example.org");
  REQUIRE(m.client_result.has_value());
  REQUIRE(m.server_result.has_value());
  const tls_info at_server = m.server.tls(), at_client = m.client.tls();
  CHECK(at_server.version == "TLSv1.3");
  CHECK(at_server.cipher == at_client.cipher);
  CHECK(at_server.bits >= 128);
  CHECK((at_server.group == "X25519" || at_server.group == "X25519MLKEM768"));  // by the library's age
  CHECK(at_server.server_name == "mail.example.org");
  CHECK(at_server.alpn == "smtp");
  CHECK(at_client.alpn == "smtp");
  CHECK_FALSE(at_server.peer_certificate);
  CHECK(at_server.peer_verification == errc::certificate_missing);
  CHECK(at_client.peer_verified);
  CHECK_FALSE(at_client.resumed);

  // RFC 9266 and RFC 5929: equal on both sides, and of the right length.
  CHECK(m.server.tls_exporter().value() == m.client.tls_exporter().value());
  CHECK(m.server.tls_exporter()->size() == 32);
  CHECK(m.server.tls_server_end_point().value() == m.client.tls_server_end_point().value());
  CHECK(m.server.tls_server_end_point()->size() == 32);
  CHECK(m.client.certificate_of_peer()->sha256 == m.client.tls_server_end_point().value());
  CHECK(m.client.certificate_of_peer()->dns_names == std::vector<std::string>{"mail.example.org"});
  CHECK(m.server.certificate_of_peer().error() == base::errc::not_found);
  meeting other = shake(f.loop, *server, *client, "mail.example.org");
  CHECK(other.server.tls_exporter().value() != m.server.tls_exporter().value());
}

TEST_CASE("without TLS there is nothing to bind to") {
  io_thread loop;
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  stream a(loop, fds[0]), b(loop, fds[1]);
  CHECK(a.tls_exporter().error() == errc::no_secret);
  CHECK(a.tls_server_end_point().error() == errc::no_secret);
  CHECK(a.tls().version.empty());
}

TEST_CASE("verification of the server by the client") {
  fixture f;
  certificate_request expired;
  expired.names = {"mail.example.org"};
  expired.days = -1;
  const certificate_files old = self_signed(f.folder, "old", expired);
  certificate_request foreign;
  foreign.names = {"mail.example.org"};
  const certificate_files other = self_signed(f.folder, "other", foreign);
  certificate_request wild;
  wild.names = {"*.example.net"};
  const certificate_files wildcard = self_signed(f.folder, "wild", wild);

  struct row {
    const char* why;
    certificate_files server;
    std::string trusted;
    const char* host;
    std::error_code expected;
  };
  const row rows[] = {
      {"the name is in it", f.files, f.files.certificate, "mail.example.org", {}},
      {"RFC 9525 §6.3: names compare without case", f.files, f.files.certificate, "MAIL.Example.ORG", {}},
      {"an address in subjectAltName", f.files, f.files.certificate, "127.0.0.1", {}},
      {"another address", f.files, f.files.certificate, "127.0.0.2", errc::certificate_name},
      {"another name", f.files, f.files.certificate, "imap.example.org", errc::certificate_name},
      {"a name below", f.files, f.files.certificate, "a.mail.example.org", errc::certificate_name},
      {"wildcard: one label", wildcard, wildcard.certificate, "mx1.example.net", {}},
      {"RFC 9525 §6.3: not two labels", wildcard, wildcard.certificate, "a.mx1.example.net", errc::certificate_name},
      {"wildcard: not the domain itself", wildcard, wildcard.certificate, "example.net", errc::certificate_name},
      {"expired", old, old.certificate, "mail.example.org", errc::certificate_expired},
      {"signed by someone unknown", other, f.files.certificate, "mail.example.org", errc::certificate_untrusted},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    auto server = make_server({.certificates = {r.server}});
    tls_client_options options = f.client_options;
    options.ca_file = r.trusted;
    auto client = make_client(options);
    meeting m = shake(f.loop, *server, *client, r.host);
    CHECK((m.client_result ? std::error_code() : m.client_result.error()) == r.expected);
    // Opportunistic: goes on and tells the same.
    options.verification = peer_verification::recorded;
    auto opportunistic = make_client(options);
    meeting second = shake(f.loop, *server, *opportunistic, r.host);
    REQUIRE(second.client_result.has_value());
    CHECK(second.client.tls().peer_verification == r.expected);
    CHECK(second.client.tls().peer_verified == !r.expected);
  }
}

TEST_CASE("the certificate follows the name that the client asks for") {
  fixture f;
  certificate_request rsa_twin;
  rsa_twin.names = {"mail.example.org"};
  rsa_twin.key = key_kind::rsa_2048;
  certificate_request second, wild;
  second.names = {"mx.example.com"};
  wild.names = {"*.example.net"};
  const auto twin = self_signed(f.folder, "twin", rsa_twin);
  const auto com = self_signed(f.folder, "com", second);
  const auto net_files = self_signed(f.folder, "net", wild);
  f.server_options.certificates = {twin, f.files, com, net_files};
  auto server = make_server(f.server_options);
  CHECK(server->certificates().size() == 4);
  CHECK(server->certificates()[3].names == std::vector<std::string>{"*.example.net"});
  CHECK(server->certificates()[0].not_after > std::chrono::system_clock::now());
  f.client_options.verification = peer_verification::recorded;
  auto client = make_client(f.client_options);

  struct row {
    const char* why;
    const char* host;
    const char* subject;
  };
  const row rows[] = {
      {"exact name", "mx.example.com", "CN=mx.example.com"},
      {"names compare without case", "MX.example.COM", "CN=mx.example.com"},
      {"wildcard", "mx7.example.net", "CN=*.example.net"},
      {"wildcards stand for one label", "a.b.example.net", "CN=mail.example.org"},
      {"unknown: the first", "unknown.example", "CN=mail.example.org"},
      {"no name: the first", "127.0.0.1", "CN=mail.example.org"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    meeting m = shake(f.loop, *server, *client, r.host);
    REQUIRE(m.client_result.has_value());
    CHECK(m.client.certificate_of_peer()->subject == r.subject);
    CHECK(m.server.tls_server_end_point().value() == m.client.tls_server_end_point().value());
  }
  // Both kinds for one name: the ECDSA one goes to a client that takes it, although RSA is listed first.
  f.client_options.verification = peer_verification::required;
  auto strict = make_client(f.client_options);
  CHECK(shake(f.loop, *server, *strict, "mail.example.org").client_result.has_value());
}

TEST_CASE("reload: new handshakes see new files, a broken file changes nothing and is named") {
  fixture f;
  auto server = make_server(f.server_options);
  f.client_options.verification = peer_verification::recorded;
  auto client = make_client(f.client_options);
  const auto fingerprint = [&] {
    meeting m = shake(f.loop, *server, *client, "mail.example.org");
    REQUIRE(m.client_result.has_value());
    return m.client.certificate_of_peer()->sha256;
  };
  const std::string first = fingerprint();
  meeting running = shake(f.loop, *server, *client, "mail.example.org");
  certificate_request request;
  request.names = {"mail.example.org"};
  self_signed(f.folder, "mail", request);
  CHECK(fingerprint() == first);
  REQUIRE(server->reload().has_value());
  const std::string second = fingerprint();
  CHECK(second != first);

  // A session from before goes on.
  auto talk = [](meeting& m) -> base::task<std::string> {
    (void)co_await m.server.write("alive");
    const result<std::string> got = co_await read_exactly(m.client, 5);
    co_return got.value_or("dead");
  };
  CHECK(run(f.loop, talk(running)) == "alive");

  struct row {
    const char* why;
    std::string file, content, named;
  };
  const certificate_pair foreign = make_self_signed(request).value();
  const row rows[] = {
      {"no PEM", f.files.certificate, "garbage", f.files.certificate},
      {"empty", f.files.key, "", f.files.key},
      {"a key that belongs to another certificate", f.files.key, foreign.key, f.files.key},
      {"a chain that breaks off", f.files.certificate, foreign.certificate + "-----BEGIN CERTIFICATE-----\nMIIB\n",
       f.files.certificate},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    std::string saved;
    {
      std::ifstream in(r.file);
      saved.assign(std::istreambuf_iterator<char>(in), {});
    }
    save(r.file, r.content);
    const explained<void> result = server->reload();
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().text.find(r.named) != std::string::npos);
    CHECK(fingerprint() == second);
    save(r.file, saved);
  }
  std::filesystem::remove(f.files.key);
  const explained<void> missing = server->reload();
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().text == "cannot read " + f.files.key + ": No such file or directory");
  CHECK(fingerprint() == second);
}

TEST_CASE("client certificates") {
  fixture f;
  certificate_request authority;
  authority.names = {"Client authority"};
  authority.authority = true;
  const certificate_pair ca = make_self_signed(authority).value();
  save(f.folder / "ca.pem", ca.certificate);
  certificate_request alice;
  alice.names = {"alice"};
  alice.emails = {"alice@example.org"};
  const certificate_files good = save(f.folder, "alice", make_signed(alice, ca).value());
  const certificate_files unknown = self_signed(f.folder, "mallory", alice);
  f.server_options.client_ca_file = f.folder / "ca.pem";

  struct row {
    const char* why;
    client_certificates mode;
    certificate_files sent;
    bool goes_on, verified;
    std::error_code at_server;
  };
  const row rows[] = {
      {"not asked for: not sent", client_certificates::none, good, true, false, errc::certificate_missing},
      {"asked for, good", client_certificates::request, good, true, true, {}},
      {"asked for, none sent", client_certificates::request, {}, true, false, errc::certificate_missing},
      {"asked for, unknown signer", client_certificates::request, unknown, true, false, errc::certificate_untrusted},
      {"required, good", client_certificates::require, good, true, true, {}},
      {"required, none sent", client_certificates::require, {}, false, false, errc::certificate_missing},
      {"required, unknown signer", client_certificates::require, unknown, false, false, errc::certificate_untrusted},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    f.server_options.clients = r.mode;
    f.client_options.client_certificate = r.sent;
    auto server = make_server(f.server_options);
    auto client = make_client(f.client_options);
    meeting m = shake(f.loop, *server, *client, "mail.example.org");
    CHECK(m.server_result.has_value() == r.goes_on);
    if (m.server_result) {
      CHECK(m.server.tls().peer_verified == r.verified);
      CHECK(m.server.tls().peer_verification == r.at_server);
      if (r.verified) CHECK(m.server.certificate_of_peer()->email_addresses == alice.emails);
    } else {
      CHECK(m.server_result.error() == r.at_server);
    }
  }
}

TEST_CASE("resumption by tickets: across contexts of one client, reloads, and not after the keys are gone") {
  fixture f;
  f.client_options.sessions_kept = 10;
  auto server = make_server(f.server_options);
  auto client = make_client(f.client_options);
  const auto resumed = [&](tls_context& with) {
    meeting m = shake(f.loop, with, *client, "mail.example.org");
    REQUIRE(m.client_result.has_value());
    REQUIRE(m.server_result.has_value());
    CHECK(m.client.tls().resumed == m.server.tls().resumed);
    CHECK(m.client.tls().peer_verified);
    CHECK(m.server.tls_exporter().value() == m.client.tls_exporter().value());
    return m.server.tls().resumed;
  };
  CHECK_FALSE(resumed(*server));
  CHECK(resumed(*server));
  CHECK(resumed(*server));
  REQUIRE(server->reload().has_value());
  CHECK(resumed(*server));
  auto stranger = make_server(f.server_options);  // keys of its own
  CHECK_FALSE(resumed(*stranger));
  f.server_options.tickets = false;
  auto without = make_server(f.server_options);
  CHECK_FALSE(resumed(*without));
  CHECK_FALSE(resumed(*without));
}

TEST_CASE("ticket keys rotate") {
  fixture f;
  f.client_options.sessions_kept = 10;
  f.server_options.ticket_rotation = std::chrono::seconds(1);
  auto server = make_server(f.server_options);
  auto client = make_client(f.client_options);
  (void)shake(f.loop, *server, *client, "mail.example.org");
  std::this_thread::sleep_for(2100ms);  // older than two rotations, whatever else the machine does
  meeting m = shake(f.loop, *server, *client, "mail.example.org");
  REQUIRE(m.server_result.has_value());
  CHECK_FALSE(m.server.tls().resumed);
}

TEST_CASE("what is no TLS, or broken off, is told apart") {
  fixture f;
  auto server = make_server(f.server_options);
  struct row {
    const char* why;
    std::string sent;
    std::error_code expected;
  };
  const std::string tls_1_1_hello = [] {
    // A ClientHello that ends at TLS 1.1 (0x0302): RFC 4346 §7.4.1.2.
    std::string body = std::string("\x03\x02", 2) + std::string(32, 'r') + std::string("\0", 1) +
                       std::string("\0\4\xc0\x13\xc0\x14", 6) + std::string("\1\0", 2);
    std::string message = std::string("\1\0\0", 3) + static_cast<char>(body.size()) + body;
    return std::string("\x16\x03\x01\0", 4) + static_cast<char>(message.size()) + message;
  }();
  const row rows[] = {
      {"TLS 1.1 is refused", tls_1_1_hello, errc::tls_version},
      {"an SMTP command", "EHLO client.example\r\n", errc::tls_not_tls},
      {"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", errc::tls_not_tls},
      {"the connection ends", "", errc::tls_truncated},
      {"the connection ends in the middle", tls_1_1_hello.substr(0, 20), errc::tls_truncated},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    meeting m{stream(f.loop, fds[0]), stream(f.loop, fds[1]), {}, {}};
    REQUIRE(::send(fds[1], r.sent.data(), r.sent.size(), 0) == static_cast<ssize_t>(r.sent.size()));
    ::shutdown(fds[1], SHUT_WR);
    base::spawn(f.loop, accept_side(m, *server));
    for (int i = 0; i < 500 && !m.server_done; ++i) f.loop.run_for(10ms);
    REQUIRE(m.server_done);
    REQUIRE_FALSE(m.server_result.has_value());
    CHECK(m.server_result.error() == r.expected);
  }
}

TEST_CASE("a handshake that stalls meets its deadline, and nothing goes in the clear afterwards") {
  fixture f;
  auto server = make_server(f.server_options);
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  stream s(f.loop, fds[0]), silent(f.loop, fds[1]);
  auto body = [](stream& own, tls_context& context) -> base::task<bool> {
    own.set_deadline(40ms);
    const status done = co_await own.start_tls_server(context);
    CHECK(done.error() == base::errc::timed_out);
    const status sent = co_await own.write("220 secret");
    CHECK(sent.error() == errc::tls_failed);
    char c[1];
    const auto got = co_await own.read_some(c);
    CHECK(got.error() == errc::tls_failed);
    co_return true;
  };
  CHECK(run(f.loop, body(s, *server)));
}

TEST_CASE("the end of TLS: orderly, or cut off") {
  fixture f;
  auto server = make_server(f.server_options);
  auto client = make_client(f.client_options);
  auto next = [](stream& s) -> base::task<std::error_code> {
    char buffer[10];
    const auto got = co_await s.read_some(buffer);
    co_return got ? std::error_code() : got.error();
  };
  auto goodbye = [](stream& s) -> base::task<status> {
    const status said = co_await s.shutdown();
    co_return said;
  };
  {
    meeting m = shake(f.loop, *server, *client, "mail.example.org");
    CHECK(run(f.loop, goodbye(m.client)).has_value());
    CHECK(run(f.loop, next(m.server)) == base::errc::end_of_stream);
  }
  {
    meeting m = shake(f.loop, *server, *client, "mail.example.org");
    ::shutdown(m.client.native_handle(), SHUT_WR);
    CHECK(run(f.loop, next(m.server)) == errc::tls_truncated);
  }
}

TEST_CASE("files that cannot be used") {
  fixture f;
  struct row {
    const char* why;
    tls_server_options options;
    std::string text;
  };
  const row rows[] = {
      {"no certificate", {}, "no TLS certificate is configured"},
      {"no file",
       {.certificates = {{"/nonexistent/a.pem", "/nonexistent/a.key"}}},
       "cannot read /nonexistent/a.pem: No such file or directory"},
      {"key and certificate swapped",
       {.certificates = {{f.files.key, f.files.certificate}}},
       "cannot use " + f.files.key},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto made = tls_context::server(r.options);
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().text.starts_with(r.text));
  }
  const auto client = tls_context::client({.ca_file = "/nonexistent/ca.pem"});
  REQUIRE_FALSE(client.has_value());
  CHECK(client.error().text.find("/nonexistent/ca.pem") != std::string::npos);
}

TEST_CASE("a handshake that the peer does not finish ends when the loop is told to stop") {
  fixture f;
  const auto context = make_server(f.server_options);
  io_thread loop;
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  meeting m{stream(loop, fds[0]), stream(loop, fds[1]), {}, {}};
  base::spawn(loop, accept_side(m, *context));
  loop.run_for(20ms);
  REQUIRE_FALSE(m.server_done);
  loop.post([&loop] { loop.begin_stopping(); });
  for (int i = 0; i < 500 && !m.server_done; ++i) loop.run_for(10ms);
  REQUIRE(m.server_done);
  CHECK(m.server_result.error() == net::errc::stopping);
}

namespace {

// That the other side has sent and nobody has read; not above zero: nothing.
ssize_t octets_in(const stream& where) {
  char octets[64];
  return ::recv(where.native_handle(), octets, sizeof octets, MSG_PEEK | MSG_DONTWAIT);
}

// The client's first step is taken, and the server's waits for its turn.
void line_up(meeting& m, io_thread& clients, tls_context& trusting, io_thread& loop, tls_context& context) {
  base::spawn(clients, [](meeting& one, tls_context& by) -> base::task<void> {
    one.client_result = co_await one.client.start_tls_client(by, "localhost");
  }(m, trusting));
  for (int turn = 0; turn < 6000 && octets_in(m.server) <= 0; ++turn) clients.run_for(1ms);
  base::spawn(loop, accept_side(m, context));
}

}  // namespace

TEST_CASE("the handshake of a good peer does not wait for those of a crowd") {
  fixture f;
  const auto context = make_server(f.server_options);
  const auto trusting = make_client(f.client_options);
  io_thread clients, loop;
  std::vector<std::unique_ptr<meeting>> all;
  const auto come = [&](const char* from, standing of) -> meeting& {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    auto& m = *all.emplace_back(new meeting{stream(loop, fds[0]), stream(clients, fds[1]), {}, {}});
    m.server.set_peer({base::ip_address::parse(from).value(), 1});
    m.server.set_standing(of);
    line_up(m, clients, *trusting, loop, *context);
    return m;
  };
  for (int i = 0; i < 30; ++i) come(("10.0." + std::to_string(i) + ".1").c_str(), standing::doubtful);
  meeting& good = come("192.0.2.1", standing::good);
  for (int i = 0; i < 30; ++i) come(("10.1." + std::to_string(i) + ".1").c_str(), standing::doubtful);
  // The loop stops when the good one's has answered: a wait for that on the client's side would be too late.
  base::spawn(loop, [](meeting& one) -> base::task<void> {
    while (octets_in(one.client) <= 0) (void)co_await one.server.thread().sleep_for(1us);
    one.server.thread().stop();
  }(good));
  for (int turn = 0; turn < 6000 && octets_in(good.client) <= 0; ++turn) loop.run_for(10ms);
  REQUIRE(octets_in(good.client) > 0);
  const auto answered = [&] { return std::ranges::count_if(all, [&](const auto& m) { return octets_in(m->client) > 0; }); };
  CHECK(answered() <= 20);
  for (int turn = 0; turn < 6000 && answered() < 61; ++turn) loop.run_for(1ms);
  CHECK_MESSAGE(answered() == 61, "and they get their turn");
  for (auto& m : all) {
    m->server.close();
    m->client.close();
  }
  settle(loop);
  settle(clients);
}

TEST_CASE("a session is served between the handshakes of a crowd") {
  fixture f;
  const auto context = make_server(f.server_options);
  const auto trusting = make_client(f.client_options);
  io_thread clients, loop;
  std::vector<std::unique_ptr<meeting>> crowd;
  for (int i = 0; i < 20; ++i) {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    auto& m = *crowd.emplace_back(new meeting{stream(loop, fds[0]), stream(clients, fds[1]), {}, {}});
    line_up(m, clients, *trusting, loop, *context);
  }
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  stream session(loop, fds[0]);
  bool served = false;
  base::spawn(loop, [](stream& from, bool& done) -> base::task<void> {
    const auto got = co_await read_exactly(from, 1);
    done = got.has_value();
    from.thread().stop();
  }(session, served));
  REQUIRE(::send(fds[1], "x", 1, MSG_NOSIGNAL) == 1);
  for (int turn = 0; turn < 6000 && !served; ++turn) loop.run_for(10ms);
  REQUIRE(served);
  const auto answered = [&] { return std::ranges::count_if(crowd, [&](const auto& m) { return octets_in(m->client) > 0; }); };
  CHECK(answered() <= 2);
  for (int turn = 0; turn < 6000 && answered() < 20; ++turn) loop.run_for(1ms);
  CHECK_MESSAGE(answered() == 20, "and they get their turn");
  for (auto& m : crowd) {
    m->server.close();
    m->client.close();
  }
  settle(loop);
  settle(clients);
  ::close(fds[1]);
}

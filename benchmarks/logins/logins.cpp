// Connections over TLS to an IMAP server, one after the other on each of N threads, with a login or without: what a login costs
// beyond the handshake that everybody pays (imap_logins.py measures with it).
//   logins HOST PORT login|noop|bare full|resumed CONNECTIONS SECONDS [USER PASSWORD]...
// bare: connect, handshake, greeting, LOGOUT. login: the same with AUTHENTICATE PLAIN (RFC 4616, initial response) before the
// LOGOUT; noop: with NOOP there, what one more command costs. resumed: each connection after a thread's first brings the
// ticket of the one before (RFC 8446 §2.2); a handshake that is full all the same is counted. Prints: connections, seconds,
// full handshakes, processor seconds of this program.

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/base64.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using steady_clock = std::chrono::steady_clock;

struct freed {
  void operator()(SSL* one) const noexcept { SSL_free(one); }
  void operator()(SSL_CTX* one) const noexcept { SSL_CTX_free(one); }
  void operator()(SSL_SESSION* one) const noexcept { SSL_SESSION_free(one); }
  void operator()(addrinfo* one) const noexcept { ::freeaddrinfo(one); }
};

[[noreturn]] void fail(std::string_view what) {
  std::fprintf(stderr, "logins: %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

// Of this thread's last connection.
thread_local std::unique_ptr<SSL_SESSION, freed> last_session;

struct connection {
  connection(SSL_CTX* context, const addrinfo& to, bool resumed) : socket(::socket(to.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    if (socket < 0 || ::connect(socket, to.ai_addr, to.ai_addrlen) != 0) fail("cannot connect");
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    tls.reset(SSL_new(context));
    SSL_set_fd(tls.get(), socket);
    if (resumed && last_session) SSL_set_session(tls.get(), last_session.get());
    if (SSL_connect(tls.get()) != 1) fail("no handshake");
  }
  ~connection() { ::close(socket); }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  // The last line of an answer begins with `tag`.
  void read_until(std::string_view tag) {
    for (std::string told;;) {
      char octets[4096];
      const int got = SSL_read(tls.get(), octets, sizeof octets);
      if (got <= 0) fail("the connection ended");
      told.append(octets, static_cast<std::size_t>(got));
      if (!told.ends_with("\r\n")) continue;
      const auto before = told.rfind("\r\n", told.size() - 3);
      const std::string_view last = std::string_view(told).substr(before == std::string::npos ? 0 : before + 2);
      if (!last.starts_with(tag)) continue;
      if (!last.substr(tag.size()).starts_with(" OK")) fail(last);
      return;
    }
  }
  void ask(std::string_view tag, const std::string& command) {
    const std::string line = std::string(tag) + " " + command + "\r\n";
    if (SSL_write(tls.get(), line.data(), static_cast<int>(line.size())) <= 0) fail("cannot write");
    read_until(tag);
  }

  int socket;
  std::unique_ptr<SSL, freed> tls;
};

std::string encode_credentials(std::string_view user, std::string_view password) {
  const std::string plain = '\0' + std::string(user) + '\0' + std::string(password);
  std::string out((plain.size() + 2) / 3 * 4 + 1, '\0');
  out.resize(EVP_EncodeBlock(reinterpret_cast<std::uint8_t*>(out.data()), reinterpret_cast<const std::uint8_t*>(plain.data()), plain.size()));
  return out;
}

double processor_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& at) { return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> given(argv + 1, argv + argc);
  const bool login = given.size() > 2 && given[2] == "login", noop = given.size() > 2 && given[2] == "noop";
  const bool resumed = given.size() > 3 && given[3] == "resumed";
  if (given.size() < 6 || given.size() % 2 != 0 || (login && given.size() == 6)) fail("see the head of its source");
  const auto threads = std::strtoul(given[4].c_str(), nullptr, 10);
  const std::chrono::duration<double> length(std::strtod(given[5].c_str(), nullptr));
  std::vector<std::string> credentials;
  for (std::size_t i = 6; i < given.size(); i += 2) credentials.push_back(encode_credentials(given[i], given[i + 1]));

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(given[0].c_str(), given[1].c_str(), &hints, &found) != 0) fail("no such host");
  const std::unique_ptr<addrinfo, freed> to(found);
  const std::unique_ptr<SSL_CTX, freed> context(SSL_CTX_new(TLS_method()));
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context.get(), [](SSL*, SSL_SESSION* session) {
    last_session.reset(session);
    return 1;
  });

  std::atomic<unsigned long> done{0}, full{0};
  const auto begun = steady_clock::now();
  {
    std::vector<std::jthread> all;
    for (unsigned long number = 0; number < threads; ++number)
      all.emplace_back([&, number] {
        for (auto next = number; steady_clock::now() - begun < length; next += threads) {
          connection one(context.get(), *to, resumed);
          full += SSL_session_reused(one.tls.get()) == 0 ? 1 : 0;
          one.read_until("*");
          if (login) one.ask("a", "AUTHENTICATE PLAIN " + credentials[next % credentials.size()]);
          if (noop) one.ask("a", "NOOP");
          one.ask("b", "LOGOUT");
          ++done;
        }
        last_session.reset();
      });
  }
  const std::chrono::duration<double> took = steady_clock::now() - begun;
  std::printf("%lu %.6f %lu %.6f\n", done.load(), took.count(), full.load(), processor_seconds());
}

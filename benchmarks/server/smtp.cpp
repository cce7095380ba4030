// Messages a second through serve_smtp over loopback TLS: one server thread, one thread for all clients. Messages of
// 4 KiB, one recipient, MAIL to DATA pipelined, TLS 1.3, the handshakes not counted.

#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <latch>
#include <optional>
#include <string>

#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/delivery/local_delivery.hpp"
#include "briefwerk/net.hpp"
#include "briefwerk/server/mail_handler.hpp"
#include "briefwerk/server/smtp_server.hpp"
#include "briefwerk/store/local_store.hpp"

namespace {

using namespace briefwerk;

constexpr std::size_t message_size = 4096;
constexpr int messages_each = 200;  // of a connection, in one iteration

const base::crypto& the_crypto() {
  static const auto made = crypto::make_boringssl();
  return *made;
}

struct tls {
  tls() {
    std::string name = (std::filesystem::temp_directory_path() / "briefwerk-bench-XXXXXX").string();
    const std::string folder = ::mkdtemp(name.data());
    const auto pair = net::make_self_signed({.names = {"localhost"}});
    const net::certificate_files files{folder + "/pem", folder + "/key"};
    (void)net::write_file(files.certificate, pair->certificate);
    (void)net::write_file(files.key, pair->key);
    server = *net::tls_context::server({.certificates = {files}});
    client = *net::tls_context::client({.ca_file = files.certificate});
    std::filesystem::remove_all(folder);
  }
  std::shared_ptr<net::tls_context> server, client;
};

class discard final : public server::smtp_handler {
  base::task<server::reply> rcpt(server::session_facts&, const server::smtp_envelope&, const server::envelope_recipient&) override {
    co_return server::replies::recipient_ok;
  }
  base::task<server::reply> message(server::session_facts&, const server::smtp_envelope&, server::message_buffer&) override {
    co_return server::replies::queued;
  }
};

class to_store final : public server::message_sink {
 public:
  explicit to_store(delivery::local_delivery& where) : where_(where) {}
  base::task<base::status> accept(const mail::smtp_envelope& envelope, const message& taken) override {
    return where_.deliver(envelope, {taken.octets, taken.junk, taken.account});
  }
  base::task<base::status> can_take(const store::resolution& to, std::uint64_t size) override { return where_.can_take(to, size); }

 private:
  delivery::local_delivery& where_;
};

// Everything behind the socket of a mail server, in memory.
struct mail_store {
  mail_store() {
    (void)base::sync_wait(store->directory().put_domain({.name = "example.org"}));
    const auto bob = base::sync_wait(store->directory().add_account({.login = "bob@example.org"}));
    (void)base::sync_wait(store->mailboxes().create_account(bob->id));
  }
  std::unique_ptr<store::local_store> store = store::make_memory_store(the_crypto(), base::system_clock());
  delivery::local_delivery local{store->directory(), store->mailboxes(), base::system_clock()};
  to_store sink{local};
  filter::chain chain;
  server::mail_handler handler{store->directory(), chain, sink, the_crypto(), base::system_clock(), {.hostname = "mx.test"}};
};

// One client connection, with what it has read and not yet used.
struct connection {
  net::stream stream;
  std::string input;

  // The final line of a reply; false when the connection ended or the code is another one.
  base::task<bool> expect(std::string_view code) {
    for (;;) {
      for (std::size_t end; (end = input.find("\r\n")) != std::string::npos;) {
        const bool last = end >= 4 && input[3] != '-';
        const bool fits = input.starts_with(code);
        input.erase(0, end + 2);
        if (last) co_return fits;
      }
      char buffer[4096];
      const auto got = co_await stream.read_some(buffer);
      if (!got) co_return false;
      input.append(buffer, *got);
    }
  }
  base::task<bool> ask(std::string_view line, std::string_view code) {
    const auto sent = co_await stream.write(line);
    if (!sent) co_return false;
    co_return co_await expect(code);
  }
  base::task<bool> open(net::io_thread& thread, base::endpoint to, net::tls_context& context) {
    auto made = co_await net::connect(thread, to);
    if (!made) co_return false;
    stream = std::move(*made);
    bool ok = co_await expect("220");
    ok = ok && co_await ask("EHLO a.test\r\n", "250");
    ok = ok && co_await ask("STARTTLS\r\n", "220");
    if (!ok) co_return false;
    const auto secured = co_await stream.start_tls_client(context, "localhost");
    if (!secured) co_return false;
    co_return co_await ask("EHLO a.test\r\n", "250");
  }
  base::task<bool> send(int count, std::string_view message) {
    for (int i = 0; i < count; ++i) {
      bool ok = co_await ask("MAIL FROM:<a@elsewhere.test> SIZE=4096\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n", "250");
      ok = ok && co_await expect("250");
      ok = ok && co_await expect("354");
      ok = ok && co_await ask(message, "250");
      if (!ok) co_return false;
    }
    co_return true;
  }
};

base::task<void> run(base::task<bool> work, std::atomic<bool>& failed, std::latch& done) {
  const bool ok = co_await std::move(work);
  if (!ok) failed = true;
  done.count_down();
}

void measure(benchmark::State& state, server::smtp_handler& handler) {
  static const tls certificates;
  const auto count = static_cast<std::size_t>(state.range(0));
  server::smtp_service service;
  service.handler = &handler;
  service.crypto = &the_crypto();
  service.tls = certificates.server;
  service.protocol.hostname = "mx.test";
  service.protocol.transactions = SIZE_MAX;
  net::io_threads threads(1), clients(1);
  server::smtp_server server(service);
  (void)server.listen(*base::endpoint::parse("127.0.0.1:0"));
  server.start(threads);
  threads.start();
  clients.start();
  std::string message = "From: a@elsewhere.test\r\nTo: bob@example.org\r\nSubject: benchmark\r\n\r\n";
  while (message.size() < message_size) message += std::string(76, 'x') + "\r\n";
  message += ".\r\n";

  std::vector<connection> all(count);
  std::atomic<bool> failed{false};
  const auto each = [&](auto work) {
    std::latch done(static_cast<std::ptrdiff_t>(count));
    for (auto& one : all) base::spawn(clients[0], run(work(one), failed, done));
    done.wait();
  };
  each([&](connection& one) { return one.open(clients[0], server.endpoints().front(), *certificates.client); });
  for (auto _ : state) {
    each([&](connection& one) { return one.send(messages_each, message); });
    if (failed) {
      state.SkipWithError("a message was refused");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(count) * messages_each);
  std::latch closed(1);
  clients[0].post([&] {
    for (auto& one : all) one.stream.close();
    closed.count_down();
  });
  closed.wait();
  clients.stop(std::chrono::seconds(1));
  all.clear();
  threads.stop(std::chrono::seconds(1));
}

void smtp_discard(benchmark::State& state) {
  discard handler;
  measure(state, handler);
}

void smtp_memory_store(benchmark::State& state) {
  mail_store behind;
  measure(state, behind.handler);
}

BENCHMARK(smtp_discard)->Arg(1)->Arg(8)->UseRealTime();
BENCHMARK(smtp_memory_store)->Arg(1)->Arg(8)->UseRealTime();

}  // namespace

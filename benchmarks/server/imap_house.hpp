#pragma once

// A server on a loopback socket over TLS and one client that reads all octets, a thread each.

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/mail/summary.hpp"
#include "briefwerk/net.hpp"
#include "briefwerk/server/account_authenticator.hpp"
#include "briefwerk/server/imap_server.hpp"
#include "briefwerk/store/local_store.hpp"

namespace briefwerk::benchmarks {

using namespace std::chrono_literals;

inline std::string message(std::size_t number, std::size_t size) {
  std::string out = "From: Load <load@sender.test>\r\nTo: <u01@bench.test>\r\nSubject: load " + std::to_string(number) +
                    "\r\nDate: Mon, 05 Jan 2026 10:00:00 +0000\r\nMessage-ID: <" + std::to_string(number) +
                    "@load.sender.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n";
  while (out.size() + 2 < size) out.append(std::min<std::size_t>(76, size - 2 - out.size()), 'b').append("\r\n");
  return out;
}

template <class T>
T run(net::io_thread& loop, base::task<T> work) {
  std::optional<T> out;
  auto wrap = [](base::task<T> inner, std::optional<T>& into, net::io_thread& on) -> base::task<void> {
    into.emplace(co_await std::move(inner));
    on.post([] {});
  };
  base::spawn(loop, wrap(std::move(work), out, loop));
  while (!out) loop.run_for(1ms);
  return std::move(*out);
}

// Account u01@bench.test with the mailboxes "Many" and "Bodies", of so many messages.
class house {
 public:
  struct sizes {
    std::size_t many = 100000, bodies = 10000;
  };
  // Over the store in memory.
  static house& instance() {
    static house one({}, [](const base::crypto& crypto) { return store::make_memory_store(crypto, base::system_clock()); });
    return one;
  }
  template <class Open>
  house(sizes counts, Open open) : crypto_(crypto::make_boringssl()), store_(open(*crypto_)), threads_(1) {
    base::sync_wait(furnish(counts));
    serve();
  }
  ~house() {
    server_->stop();
    threads_.stop(0ms);
  }

  net::io_thread& loop() noexcept { return loop_; }
  net::tls_context& client_tls() noexcept { return *client_tls_; }
  base::endpoint address() const { return server_->endpoints().front(); }

 private:
  void serve() {
    logins_ = std::make_unique<server::account_authenticator>(
        store_->directory(), *crypto_, base::system_clock(),
        server::account_authenticator_options{.host = "localhost", .decoy_secret = "0123456789abcdef", .disabled = {},
                                              .recoverable_secrets = true, .threads = 1, .remember = 300s, .remembered = 100});
    server::imap_options options;
    options.mail = &store_->mailboxes();
    options.logins = logins_.get();
    options.crypto = crypto_.get();
    options.implicit_tls = true;
    std::string folder = (std::filesystem::temp_directory_path() / "briefwerk-bench-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) std::abort();
    net::certificate_request request;
    request.names = {"localhost"};
    const auto pair = net::make_self_signed(request);
    if (!pair || !net::write_file(folder + "/c.pem", pair->certificate) || !net::write_file(folder + "/c.key", pair->key))
      std::abort();
    net::tls_server_options tls;
    tls.certificates.push_back({folder + "/c.pem", folder + "/c.key"});
    options.tls = *net::tls_context::server(std::move(tls));
    net::tls_client_options client;
    client.verification = net::peer_verification::recorded;
    client_tls_ = *net::tls_context::client(std::move(client));
    std::filesystem::remove_all(folder);
    server_ = std::make_unique<server::imap_server>(std::move(options));
    if (!server_->listen(*base::endpoint::parse("127.0.0.1:0"))) std::abort();
    threads_.start();
    server_->start(threads_);
  }

  base::task<void> furnish(sizes counts) {
    store::domain here;
    here.name = "bench.test";
    auto put = co_await store_->directory().put_domain(std::move(here));
    store::account one;
    one.login = "u01@bench.test";
    one.credentials = {"{PLAIN}pw-u01"};
    auto added = co_await store_->directory().add_account(std::move(one));
    if (!put || !added) std::abort();
    auto made = co_await store_->mailboxes().create_account(added->id);
    if (!made) std::abort();
    for (const char* name : {"Many", "Bodies"}) {
      auto box = co_await store_->mailboxes().create(added->id, name, std::nullopt);
      const bool many = box && box->name == "Many";
      const std::size_t count = many ? counts.many : counts.bodies, size = many ? 400 : 4096;
      for (std::size_t first = 0; first < count; first += 1000) {
        std::vector<std::string> octets, summaries;
        for (std::size_t i = first; i < first + 1000; ++i) {
          octets.push_back(message(i, size));
          summaries.push_back(mail::encode_summary(mail::summarise(octets.back())));
        }
        std::vector<store::message_source> pieces;
        std::vector<store::local_target> targets(1000);
        for (std::size_t i = 0; i < 1000; ++i) {
          pieces.push_back({.octets = octets[i], .summary = summaries[i]});
          targets[i].account = added->id;
          targets[i].mailbox = name;
        }
        auto stored = co_await store_->mailboxes().append(std::move(pieces), std::move(targets));
        if (!stored) std::abort();
      }
    }
  }

  std::unique_ptr<base::crypto> crypto_;
  std::unique_ptr<store::local_store> store_;
  std::unique_ptr<server::account_authenticator> logins_;
  net::io_threads threads_;
  net::io_thread loop_;
  std::shared_ptr<net::tls_context> client_tls_;
  std::unique_ptr<server::imap_server> server_;
};

class client {
 public:
  explicit client(house& at) : at_(at) {
    auto made = run(at.loop(), net::connect(at.loop(), at.address()));
    stream_ = std::move(*made);
    (void)run(at.loop(), handshake());
    (void)run(at.loop(), read());
    command("LOGIN u01@bench.test pw-u01");
  }
  ~client() {
    stream_.close();
    at_.loop().run_for(1ms);
  }
  // One after the other, without coming back to this thread's loop in between. Octets of the answers.
  std::size_t commands(const std::vector<std::string>& texts) {
    const auto size = run(at_.loop(), exchange_all(texts));
    if (!size) std::abort();
    return *size;
  }
  std::size_t command(const std::string& text) {
    const auto size = run(at_.loop(), exchange(text));
    if (!size) std::abort();
    return *size;
  }

 private:
  base::task<base::status> handshake() { co_return co_await stream_.start_tls_client(at_.client_tls(), "localhost"); }
  base::task<base::result<std::size_t>> read() { co_return co_await stream_.read_some(buffer_); }
  base::task<base::result<std::size_t>> exchange_all(const std::vector<std::string>& texts) {
    std::size_t total = 0;
    for (const auto& text : texts) {
      const auto size = co_await exchange(text);
      if (!size) co_return base::fail(size.error());
      total += *size;
    }
    co_return total;
  }
  base::task<base::result<std::size_t>> exchange(std::string text) {
    const std::string out = "t " + text + "\r\n";
    const auto sent = co_await stream_.write(out);
    if (!sent) co_return base::fail(sent.error());
    // The tagged line is not long, so its beginning is in the last octets; "\r\nt " occurs nowhere else.
    std::size_t total = 0;
    std::string end = "\r\n";
    for (;;) {
      const auto got = co_await stream_.read_some(buffer_);
      if (!got) co_return base::fail(got.error());
      total += *got;
      end.append(buffer_.data() + (*got > 2048 ? *got - 2048 : 0), std::min<std::size_t>(*got, 2048));
      if (end.size() > 4096) end.erase(0, end.size() - 4096);
      const auto tagged = end.rfind("\r\nt ");
      if (tagged == end.npos || !end.ends_with("\r\n") || tagged + 4 > end.size()) continue;
      if (end.compare(tagged + 4, 2, "OK") != 0) co_return base::fail(base::errc::malformed);
      co_return total;
    }
  }

  house& at_;
  net::stream stream_;
  std::vector<char> buffer_ = std::vector<char>(1u << 16);
};

}  // namespace briefwerk::benchmarks

#pragma once

// A house for IMAP tests: the memory store with two accounts, the standard authenticator, a server on loopback, and
// clients that speak over real sockets.

#include <doctest/doctest.h>
#include <stdlib.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/net.hpp"
#include "briefwerk/server/account_authenticator.hpp"
#include "briefwerk/server/imap_server.hpp"
#include "briefwerk/store/local_store.hpp"

namespace briefwerk::server::testing {

using namespace std::chrono_literals;

enum class channel { plain, start_tls, implicit_tls };

class house {
 public:
  explicit house(channel how = channel::plain, unsigned threads = 1, const std::function<void(imap_options&)>& adjust = {})
      : crypto_(crypto::make_boringssl()), store_(store::make_memory_store(*crypto_, base::system_clock())), how_(how),
        threads_(threads) {
    base::sync_wait(furnish());
    imap_options options;
    options.mail = &store_->mailboxes();
    logins_ = std::make_unique<account_authenticator>(
        store_->directory(), *crypto_, base::system_clock(),
        account_authenticator_options{.host = "mail.example.org", .decoy_secret = "0123456789abcdef", .disabled = {},
                                      .recoverable_secrets = true, .threads = 1, .remember = 300s, .remembered = 100});
    options.logins = logins_.get();
    options.accounts = &store_->directory();
    options.crypto = crypto_.get();
    options.metrics = &figures_;
    options.login_without_tls = how == channel::plain;
    options.implicit_tls = how == channel::implicit_tls;
    if (how != channel::plain) options.tls = make_tls();
    if (adjust) adjust(options);
    server_ = std::make_unique<imap_server>(std::move(options));
    REQUIRE(server_->listen(*base::endpoint::parse("127.0.0.1:0"), threads_.size()).has_value());
    threads_.start();
    server_->start(threads_);
  }
  ~house() {
    server_->stop();
    threads_.stop(0ms);
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  base::endpoint address() const { return server_->endpoints().front(); }
  channel how() const noexcept { return how_; }
  store::mailbox_store& mail() noexcept { return store_->mailboxes(); }
  const store::account_id& alice() const noexcept { return alice_; }
  base::metrics& figures() noexcept { return figures_; }
  net::io_threads& threads() noexcept { return threads_; }

 private:
  base::task<void> furnish() {
    store::domain here;
    here.name = "example.org";
    auto put = co_await store_->directory().put_domain(std::move(here));
    REQUIRE(put.has_value());
    for (const char* name : {"alice", "bob"}) {
      store::account one;
      one.login = std::string(name) + "@example.org";
      one.credentials = {"{PLAIN}secret"};
      auto added = co_await store_->directory().add_account(std::move(one));
      REQUIRE(added.has_value());
      if (alice_.empty()) alice_ = added->id;
      auto made = co_await store_->mailboxes().create_account(added->id);
      REQUIRE(made.has_value());
    }
  }

  std::shared_ptr<net::tls_context> make_tls() {
    std::string name = (std::filesystem::temp_directory_path() / "briefwerk-imap-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
    net::certificate_request request;
    request.names = {"mail.example.org"};
    const auto pair = net::make_self_signed(request);
    REQUIRE(pair.has_value());
    REQUIRE(net::write_file(folder_ + "/c.pem", pair->certificate).has_value());
    REQUIRE(net::write_file(folder_ + "/c.key", pair->key).has_value());
    net::tls_server_options options;
    options.certificates.push_back({folder_ + "/c.pem", folder_ + "/c.key"});
    auto context = net::tls_context::server(std::move(options));
    REQUIRE(context.has_value());
    return *context;
  }

  std::string folder_;
  std::unique_ptr<base::crypto> crypto_;
  base::metrics figures_;
  std::unique_ptr<store::local_store> store_;
  std::unique_ptr<account_authenticator> logins_;
  store::account_id alice_;
  channel how_;
  net::io_threads threads_;
  std::unique_ptr<imap_server> server_;
};

// Speaks to the server; every wait ends after a while with a failed test.
class client {
 public:
  explicit client(house& at) : how_(at.how()) {
    auto made = run(net::connect(loop_, at.address()));
    REQUIRE(made.has_value());
    stream_ = std::move(*made);
    if (how_ == channel::implicit_tls) start_tls();
    CHECK(line().starts_with("* OK"));
    if (how_ == channel::start_tls) {
      send("s STARTTLS\r\n");
      CHECK(line().starts_with("s OK"));
      start_tls();
    }
  }
  ~client() { stream_.close(); loop_.run_for(1ms); }

  void login(std::string_view name = "alice") {
    const auto said = command("LOGIN " + std::string(name) + "@example.org secret");
    REQUIRE(said.back().find(" OK ") != std::string::npos);
  }

  void send(std::string_view text) {
    const auto sent = run(write(text));
    REQUIRE(sent.has_value());
  }
  // Sends with a new tag, and answers all lines up to the tagged one; literals stand in their line.
  std::vector<std::string> command(std::string_view text) {
    const std::string tag = "t" + std::to_string(++tags_);
    send(tag + " " + std::string(text) + "\r\n");
    return until(tag);
  }
  std::vector<std::string> until(const std::string& tag) {
    std::vector<std::string> out;
    do out.push_back(line());
    while (!out.back().empty() && !out.back().starts_with(tag + " "));
    return out;
  }
  // One response without its last CRLF; "" when the connection ended.
  std::string line() {
    std::string out;
    for (;;) {
      const auto end = buffer_.find("\r\n");
      if (end == buffer_.npos) {
        if (!fill()) return {};
        continue;
      }
      out.append(buffer_, 0, end);
      buffer_.erase(0, end + 2);
      const auto brace = out.ends_with('}') ? out.rfind('{') : out.npos;
      if (brace == out.npos) return out;
      const auto size = static_cast<std::size_t>(std::strtoull(out.c_str() + brace + 1, nullptr, 10));
      while (buffer_.size() < size)
        if (!fill()) return {};
      out.append("\r\n").append(buffer_, 0, size);
      buffer_.erase(0, size);
    }
  }
  // Whether nothing more comes for a while.
  bool is_quiet(std::chrono::milliseconds duration = 60ms) {
    if (!buffer_.empty()) return false;
    loop_.run_for(duration);
    char one[4096];
    const auto got = stream_.try_read(one);
    if (got && *got != 0) buffer_.append(one, *got);
    return buffer_.empty();
  }
  std::size_t append(std::string_view mailbox, std::string_view message, std::string_view options = "") {
    const auto said = command("APPEND " + std::string(mailbox) + " " + std::string(options) + "{" +
                              std::to_string(message.size()) + "+}\r\n" + std::string(message));
    CHECK_MESSAGE(said.back().find(" OK [APPENDUID ") != std::string::npos, said.back());
    const auto at = said.back().find("APPENDUID ");
    return std::strtoull(said.back().c_str() + said.back().find(' ', at + 10), nullptr, 10);
  }
  net::stream& stream() noexcept { return stream_; }

 private:
  template <class T>
  T run(base::task<T> work) {
    std::optional<T> out;
    auto wrap = [](base::task<T> inner, std::optional<T>& into) -> base::task<void> { into.emplace(co_await std::move(inner)); };
    base::spawn(loop_, wrap(std::move(work), out));
    for (int i = 0; i < 20000 && !out; ++i) loop_.run_for(1ms);
    REQUIRE(out.has_value());
    return std::move(*out);
  }
  base::task<base::status> write(std::string_view text) { co_return co_await stream_.write(text); }
  base::task<base::status> handshake(net::tls_context& context) {
    co_return co_await stream_.start_tls_client(context, "mail.example.org");
  }
  base::task<base::result<std::size_t>> read(std::span<char> into) { co_return co_await stream_.read_some(into); }

  void start_tls() {
    net::tls_client_options options;
    options.verification = net::peer_verification::recorded;
    auto context = net::tls_context::client(std::move(options));
    REQUIRE(context.has_value());
    const auto shaken = run(handshake(**context));
    REQUIRE(shaken.has_value());
  }
  bool fill() {
    char octets[16384];
    const auto got = run(read(octets));
    if (!got) return false;
    buffer_.append(octets, *got);
    return true;
  }

  net::io_thread loop_;
  channel how_;
  net::stream stream_;
  std::string buffer_;
  unsigned tags_ = 0;
};

inline bool has_line(const std::vector<std::string>& lines, std::string_view wanted) {
  for (const auto& line : lines)
    if (line == wanted) return true;
  return false;
}
inline bool has_part(const std::vector<std::string>& lines, std::string_view wanted) {
  for (const auto& line : lines)
    if (line.find(wanted) != line.npos) return true;
  return false;
}
inline std::string all_of(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out.append(line).append("\n");
  return out;
}

inline constexpr std::string_view first_message =
    "From: Anna <anna@example.org>\r\nTo: bob@example.org\r\nSubject: Gr=?utf-8?q?=C3=BC?=sse\r\n"
    "Date: Mon, 5 Jan 2026 10:00:00 +0000\r\nMessage-ID: <one@example.org>\r\n\r\nHello there\r\n";
inline constexpr std::string_view second_message =
    "From: Carl <carl@example.net>\r\nSubject: two parts\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nneedle in text\r\n--b\r\n"
    "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b--\r\n";

}  // namespace briefwerk::server::testing

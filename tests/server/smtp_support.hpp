#pragma once

// What the tests of SMTP share: a client that speaks line by line over a real socket, and a whole mail host on loopback
// (directory and mailboxes in memory, local delivery, servers for port 25, 587 and 465).

#include <doctest/doctest.h>

#include <algorithm>
#include <mutex>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/delivery/local_delivery.hpp"
#include "briefwerk/net.hpp"
#include "briefwerk/server/account_authenticator.hpp"
#include "briefwerk/server/mail_handler.hpp"
#include "briefwerk/server/passwords.hpp"
#include "briefwerk/server/smtp_server.hpp"
#include "briefwerk/store/local_store.hpp"
#include "net/support.hpp"

namespace briefwerk::testing {

using namespace std::chrono_literals;
using net::testing::loopback;

inline const base::crypto& the_crypto() {
  static const std::unique_ptr<base::crypto> made = crypto::make_boringssl();
  return *made;
}

// A certificate for localhost and its files, made once for all tests of a program.
struct certificates {
  net::testing::temporary_folder folder;
  net::certificate_files files = net::testing::self_signed(folder, "host", {.names = {"localhost", "mx.test", "127.0.0.1"}});
  std::shared_ptr<net::tls_context> server = *net::tls_context::server({.certificates = {files}});
  std::shared_ptr<net::tls_context> recorded = *net::tls_context::client(
      {.verification = net::peer_verification::recorded, .ca_file = files.certificate});
  std::shared_ptr<net::tls_context> verified = *net::tls_context::client({.ca_file = files.certificate});
  static const certificates& get() {
    static const certificates made;
    return made;
  }
};

// A value that the test changes and reads while a server's thread uses it.
template <class T>
class guarded {
 public:
  guarded(T value = {}) : value_(std::move(value)) {}
  guarded& operator=(T value) {
    std::lock_guard lock(mutex_);
    value_ = std::move(value);
    return *this;
  }
  T get() const {
    std::lock_guard lock(mutex_);
    return value_;
  }
  bool operator==(const T& other) const { return get() == other; }

 private:
  mutable std::mutex mutex_;
  T value_;
};

// Collects events as "name key=value key=value".
class memory_log final : public base::log_sink {
 public:
  bool enabled(base::log_level) const noexcept override { return true; }
  void write(base::log_level, std::string_view event, std::span<const base::log_field> fields) noexcept override {
    std::string line(event);
    for (const auto& field : fields) {
      line.append(" ").append(field.key).append("=");
      if (const auto* text = std::get_if<std::string_view>(&field.value)) line += *text;
      if (const auto* number = std::get_if<std::int64_t>(&field.value)) line += std::to_string(*number);
      if (const auto* truth = std::get_if<bool>(&field.value)) line += *truth ? "true" : "false";
    }
    std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::size_t count(std::string_view part) const {
    std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count_if(lines_, [&](const auto& l) { return l.find(part) != l.npos; }));
  }
  std::string all() const {
    std::lock_guard lock(mutex_);
    std::string text;
    for (const auto& line : lines_) text += line + "\n";
    return text;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

// Blocking, on a loop of its own.
class client {
 public:
  explicit client(base::endpoint to, bool implicit_tls = false) {
    auto made = net::testing::run(loop_, net::connect(loop_, to));
    REQUIRE(made.has_value());
    stream_ = std::move(*made);
    stream_.set_deadline(20s);
    if (implicit_tls) REQUIRE(tls());
  }
  ~client() { stream_.close(); loop_.run_for(1ms); }
  client(const client&) = delete;

  bool write(std::string_view octets) {
    return net::testing::run(loop_, write_all(stream_, octets)).has_value();
  }
  // One reply with all its lines; empty at the end of the connection.
  std::string read() {
    for (;;) {
      if (const std::size_t end = reply_end(); end != 0) {
        std::string one = input_.substr(0, end);
        input_.erase(0, end);
        return one;
      }
      char buffer[4096];
      const auto got = net::testing::run(loop_, read_some(stream_, buffer));
      if (!got) return {};
      input_.append(buffer, *got);
    }
  }
  std::string ask(std::string_view line) {
    if (!write(std::string(line) + "\r\n")) return {};
    return read();
  }
  bool tls() {
    return net::testing::run(loop_, handshake(stream_)).has_value();
  }
  // Greeting, EHLO, STARTTLS, EHLO.
  void begin() {
    REQUIRE(read().starts_with("220"));
    REQUIRE(ask("EHLO client.test").starts_with("250"));
    if (stream_.is_tls()) return;
    REQUIRE(ask("STARTTLS").starts_with("220"));
    REQUIRE(tls());
    REQUIRE(ask("EHLO client.test").starts_with("250"));
  }
  void log_in(std::string_view user, std::string_view password) {
    const std::string plain = std::string("\0", 1) + std::string(user) + std::string("\0", 1) + std::string(password);
    REQUIRE(ask("AUTH PLAIN " + base::base64_encode(plain)).starts_with("235"));
  }
  std::string data(std::string_view message) {
    const std::string go = ask("DATA");
    if (!go.starts_with("354")) return go;
    write(message);
    return ask(".");
  }
  // MAIL, RCPT, DATA; the reply to the last of them, or the first refusal.
  std::string send(std::string_view from, std::string_view to, std::string_view message) {
    std::string said = ask("MAIL FROM:<" + std::string(from) + ">");
    if (!said.starts_with("250")) return said;
    said = ask("RCPT TO:<" + std::string(to) + ">");
    if (!said.starts_with("250")) return said;
    return data(message);
  }
  net::stream& stream() { return stream_; }
  void close() {
    stream_.close();
    loop_.run_for(1ms);
  }

 private:
  static base::task<base::status> write_all(net::stream& to, std::string_view octets) {
    const auto sent = co_await to.write(octets);
    co_return sent;
  }
  static base::task<base::result<std::size_t>> read_some(net::stream& from, std::span<char> buffer) {
    const auto got = co_await from.read_some(buffer);
    co_return got;
  }
  static base::task<base::status> handshake(net::stream& stream) {
    const auto done = co_await stream.start_tls_client(*certificates::get().recorded, "localhost");
    co_return done;
  }
  std::size_t reply_end() const {
    for (std::size_t at = 0;;) {
      const std::size_t end = input_.find("\r\n", at);
      if (end == std::string::npos) return 0;
      if (end - at < 4 || input_[at + 3] != '-') return end + 2;
      at = end + 2;
    }
  }

  net::io_thread loop_;
  net::stream stream_;
  std::string input_;
};

// Lets every message through to local delivery.
class direct_sink final : public server::message_sink {
 public:
  explicit direct_sink(delivery::local_delivery& where) : where_(where) {}
  base::task<base::status> accept(const mail::smtp_envelope& envelope, const message& accepted) override {
    return where_.deliver(envelope, {.octets = accepted.octets,
                                      .junk = accepted.junk,
                                      .account = accepted.account,
                                      .held = accepted.quarantined ? accepted.reason : std::string_view()});
  }
  base::task<base::status> can_take(const store::resolution& recipient, std::uint64_t size) override {
    return where_.can_take(recipient, size);
  }

 private:
  delivery::local_delivery& where_;
};

struct mail_host {
  // Change options before start().
  mail_host() {
    using protocol::smtp::server_role;
    const certificates& tls = certificates::get();
    REQUIRE(base::sync_wait(store->directory().put_domain({.name = "example.org"})).has_value());
    for (server::smtp_service* one : {&mx, &submission, &submissions}) {
      one->handler = &handler;
      one->crypto = &the_crypto();
      one->tls = tls.server;
      one->log = &log;
      one->protocol.hostname = "mx.test";
    }
    for (server::smtp_service* one : {&submission, &submissions}) {
      one->protocol.role = server_role::submission;
      one->protocol.require_auth = true;
      one->authenticator = &logins;
      one->name = "submission";
    }
    submissions.implicit_tls = true;
  }
  ~mail_host() { threads.stop(0ms); }

  void start() {
    servers[0] = std::make_unique<server::smtp_server>(mx);
    servers[1] = std::make_unique<server::smtp_server>(submission);
    servers[2] = std::make_unique<server::smtp_server>(submissions);
    for (auto& one : servers) {
      REQUIRE(one->listen(loopback()).has_value());
      one->start(threads);
    }
    threads.start();
  }
  base::endpoint mx_port() const { return servers[0]->endpoints().front(); }
  base::endpoint submission_port() const { return servers[1]->endpoints().front(); }
  base::endpoint submissions_port() const { return servers[2]->endpoints().front(); }

  std::string add(const std::string& login, const std::string& password = "secret",
                  server::password_scheme scheme = server::password_scheme::scram) {
    auto credentials = server::make_credentials(the_crypto(), scheme, password, 4096);
    REQUIRE(credentials.has_value());
    auto made = base::sync_wait(store->directory().add_account({.login = login, .credentials = *credentials}));
    REQUIRE(made.has_value());
    REQUIRE(base::sync_wait(store->mailboxes().create_account(made->id)).has_value());
    return made->id;
  }
  void alias(const std::string& address, std::vector<std::string> targets) {
    REQUIRE(base::sync_wait(store->directory().put_alias({address, std::move(targets)})).has_value());
  }
  // Octets of all messages of a mailbox.
  std::vector<std::string> messages(const std::string& account, const std::string& mailbox = "INBOX") {
    auto box = base::sync_wait(store->mailboxes().find(account, mailbox));
    if (!box) return {};
    auto all = base::sync_wait(store->mailboxes().snapshot(account, box->id));
    REQUIRE(all.has_value());
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < (*all)->count(); ++i) {
      auto octets = base::sync_wait(store->mailboxes().read((*all)->at(i).blob));
      REQUIRE(octets.has_value());
      texts.push_back(octets->str());
    }
    return texts;
  }
  std::vector<store::queue_item> queued() {
    auto all = base::sync_wait(store->queue().list("", 1000));
    REQUIRE(all.has_value());
    return *all;
  }

  memory_log log;
  std::unique_ptr<store::local_store> store = store::make_memory_store(the_crypto(), base::system_clock());
  delivery::local_delivery local{store->directory(), store->mailboxes(), base::system_clock()};
  direct_sink sink{local};
  filter::chain chain;
  server::mail_handler handler{store->directory(), chain, sink, the_crypto(), base::system_clock(), {.hostname = "mx.test"}};
  server::account_authenticator logins{store->directory(), the_crypto(), base::system_clock(),
                                       {.host = "mx.test", .decoy_secret = std::string(16, 'd'), .recoverable_secrets = true}};
  server::smtp_service mx, submission, submissions;
  net::io_threads threads{1};  // outlives the listeners
  std::unique_ptr<server::smtp_server> servers[3];
};

inline constexpr std::string_view small_message =
    "From: somebody <somebody@elsewhere.test>\r\nSubject: x\r\n\r\nHello\r\n.dot\r\n";

// SMTP's transparency for `message`: what goes over the wire.
inline std::string stuffed(std::string_view message) {
  std::string out;
  bool line_start = true;
  for (const char c : message) {
    if (line_start && c == '.') out += '.';
    out += c;
    line_start = c == '\n';
  }
  return out;
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace briefwerk::testing

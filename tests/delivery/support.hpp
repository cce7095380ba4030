#pragma once

// A queue runner over a store in memory, and the servers that it sends to.

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <thread>

#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/delivery/queue_runner.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/mime.hpp"
#include "briefwerk/mail/summary.hpp"
#include "server/smtp_support.hpp"

namespace briefwerk::testing {

namespace smtp = protocol::smtp;

// Somebody else's mail server.
class peer_host final : public server::smtp_handler {
 public:
  struct taken {
    server::smtp_envelope envelope;
    std::string octets, tls;
  };

  peer_host() {
    service.handler = this;
    service.crypto = &the_crypto();
    service.tls = certificates::get().server;
    service.protocol.hostname = "mx.test";
    service.protocol.require_tls = false;
    service.command_deadline = 20s;
  }
  ~peer_host() override { threads.stop(0ms); }
  void start(base::endpoint at = loopback()) {
    server = std::make_unique<server::smtp_server>(service);
    REQUIRE(server->listen(at).has_value());
    server->start(threads);
    threads.start();
  }
  std::uint16_t port() const { return server->endpoints().front().port; }
  std::vector<taken> messages() const {
    std::lock_guard lock(mutex_);
    return messages_;
  }
  void answer(const std::string& local_part, server::reply with) {
    std::lock_guard lock(mutex_);
    answers_[local_part] = std::move(with);
  }

  base::task<server::reply> connect(server::session_facts&) override {
    ++connections;
    co_return greeting.get();
  }
  base::task<server::reply> mail(server::session_facts&, const server::smtp_envelope&) override { co_return mail_answer.get(); }
  base::task<server::reply> rcpt(server::session_facts&, const server::smtp_envelope&, const server::envelope_recipient& to) override {
    std::lock_guard lock(mutex_);
    const auto found = answers_.find(to.address.local);
    co_return found == answers_.end() ? server::replies::recipient_ok : found->second;
  }
  base::task<server::reply> message(server::session_facts& session, const server::smtp_envelope& envelope,
                                    server::message_buffer& octets) override {
    ++attempts;
    while (hold) (void)co_await net::sleep_for(5ms);
    server::reply answer = message_answer.get();
    if (answer.is_positive()) {
      std::lock_guard lock(mutex_);
      messages_.push_back({envelope, std::string(octets.view()), session.tls_version});
    }
    co_return answer;
  }

  server::smtp_service service;
  guarded<server::reply> greeting{server::replies::ok}, mail_answer{server::replies::sender_ok}, message_answer{server::replies::queued};
  std::atomic<int> connections{0}, attempts{0};
  std::atomic<bool> hold{false};
  net::io_threads threads{1};  // outlives the listeners
  std::unique_ptr<server::smtp_server> server;

 private:
  mutable std::mutex mutex_;
  std::vector<taken> messages_;
  std::map<std::string, server::reply> answers_;
};

// The queue of the store, with faults.
class faulty_queue final : public store::queue_store {
 public:
  explicit faulty_queue(store::queue_store& real) : real_(real) {}
  base::task<base::result<std::vector<store::queue_item>>> due(std::int64_t until, std::size_t most) override { return real_.due(until, most); }
  base::task<base::result<std::int64_t>> next_due() override { return real_.next_due(); }
  base::task<base::result<std::vector<store::queue_item>>> list(std::string after, std::size_t most) override { return real_.list(std::move(after), most); }
  base::task<base::result<store::queue_item>> find(std::string id) override { return real_.find(std::move(id)); }
  base::task<base::status> update(store::queue_item item) override {
    if (fails()) co_return base::fail(base::errc::no_space);
    co_return co_await real_.update(std::move(item));
  }
  base::task<base::status> reschedule(std::string id, std::int64_t next_attempt) override { return real_.reschedule(std::move(id), next_attempt); }
  base::task<base::status> finish(store::queue_item item, bool done, store::message_source report,
                                  std::vector<store::local_target> targets, std::vector<store::queue_item> queue) override {
    if (fails()) co_return base::fail(base::errc::no_space);
    co_return co_await real_.finish(std::move(item), done, report, std::move(targets), std::move(queue));
  }
  base::task<base::status> remove(std::string id) override {
    if (fails()) co_return base::fail(base::errc::no_space);
    co_return co_await real_.remove(std::move(id));
  }
  base::task<base::result<store::message_octets>> read(store::blob_ref message) override {
    if (unreadable) co_return base::fail(base::errc::corrupt);
    co_return co_await real_.read(message);
  }
  base::task<base::result<std::size_t>> size() override { return real_.size(); }
  store::subscription watch(std::function<void()> changed) override { return real_.watch(std::move(changed)); }

  std::atomic<int> failures{0};  // so many writes fail
  std::atomic<bool> unreadable{false};

 private:
  bool fails() { return failures > 0 && failures-- > 0; }
  store::queue_store& real_;
};

inline constexpr std::string_view stored_message =
    "Return-Path: <alice@example.org>\r\nReceived: from submission\r\n\tby mx.test with ESMTPSA;\r\n\tThu, 1 Jan 1970 00:00:00 +0000\r\n"
    "From: alice@example.org\r\nSubject: to be reported\r\nMessage-ID: <1@example.org>\r\n\r\nHello\r\n.dot\r\n";
inline const std::string sent_message{stored_message.substr(stored_message.find("Received"))};

struct sender_host {
  sender_host() {
    REQUIRE(base::sync_wait(store->directory().put_domain({.name = "example.org"})).has_value());
    auto made = base::sync_wait(store->directory().add_account({.login = "alice@example.org"}));
    REQUIRE(made.has_value());
    alice = made->id;
    REQUIRE(base::sync_wait(store->mailboxes().create_account(alice)).has_value());
    options.routing.hostname = "out.test";
    options.recorded = certificates::get().recorded;
    options.verified = certificates::get().verified;
    options.connect.deadline = 2s;
    options.mailboxes = &store->mailboxes();
    options.log = &log;
    options.metrics = &figures;
    dns.add_address("mx.test", "127.0.0.1");
  }
  ~sender_host() { end(); }

  // Sends what is for `domain` to the peer.
  void route(const std::string& domain, const peer_host& peer, delivery::hop_tls tls = delivery::hop_tls::required) {
    options.routing.overrides.push_back({domain, "mx.test", peer.port(), tls});
  }
  void start() {
    threads = std::make_unique<net::io_threads>(1);
    threads->start();
    runner = std::make_unique<delivery::queue_runner>(queue, store->directory(), dns, the_crypto(), time, options);
    runner->start((*threads)[0]);
  }
  // As a program ends: nothing new, what is under way ends or is cut off.
  void end(std::chrono::milliseconds grace = 10s) {
    if (!runner) return;
    runner->stop();
    const auto until = std::chrono::steady_clock::now() + grace;
    while (!runner->is_idle() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(2ms);
    threads->stop(0ms);
    runner.reset();
    threads.reset();
  }
  store::queue_item item(std::vector<std::string> to, std::string sender = "alice@example.org") const {
    store::queue_item made;
    made.sender = std::move(sender);
    made.arrived = made.next_attempt = seconds();
    for (std::string& one : to) made.recipients.emplace_back().address = std::move(one);
    return made;
  }
  void put(store::queue_item item, std::string_view octets = stored_message) {
    const std::string summary = mail::encode_summary(mail::summarise(octets));
    std::vector<store::queue_item> items{std::move(item)};
    const auto done = base::sync_wait(store->mailboxes().deliver({octets, summary}, {}, std::move(items)));
    REQUIRE(done.has_value());
  }
  std::int64_t seconds() const { return std::chrono::floor<std::chrono::seconds>(time.now()).time_since_epoch().count(); }
  // Time passes for the runner, and it looks.
  void later(std::chrono::seconds by) {
    time.advance(by);
    runner->wake();
  }
  template <class Condition>
  bool soon(Condition holds) {
    for (int i = 0; i < 2000 && !holds(); ++i) std::this_thread::sleep_for(5ms);
    return holds();
  }
  std::vector<store::queue_item> queued() {
    auto all = base::sync_wait(store->queue().list("", 1000));
    REQUIRE(all.has_value());
    return *all;
  }
  bool empty() { return queued().empty(); }
  // After the nth attempt with something left.
  bool attempted(std::uint32_t times) {
    return soon([&] {
      const auto all = queued();
      return !all.empty() && all.front().attempts >= times;
    });
  }
  std::vector<std::string> inbox() {
    auto box = base::sync_wait(store->mailboxes().find(alice, "INBOX"));
    REQUIRE(box.has_value());
    auto all = base::sync_wait(store->mailboxes().snapshot(alice, box->id));
    REQUIRE(all.has_value());
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < (*all)->count(); ++i) texts.push_back(base::sync_wait(store->mailboxes().read((*all)->at(i).blob))->str());
    return texts;
  }

  memory_log log;
  base::metrics figures;
  base::manual_clock time{std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())};
  base::scripted_resolver dns;
  std::unique_ptr<store::local_store> store = store::make_memory_store(the_crypto(), time);
  faulty_queue queue{store->queue()};
  delivery::queue_runner_options options;
  std::string alice;
  std::unique_ptr<net::io_threads> threads;
  std::unique_ptr<delivery::queue_runner> runner;
};

// A report, taken apart.
struct dsn {
  explicit dsn(std::string octets) : text(std::move(octets)), tree(text) {
    const mail::mime_part* at = tree.first_child(tree.root());
    for (; at != nullptr; at = tree.next(*at)) parts.push_back(at);
    REQUIRE(parts.size() == 3);
    std::string_view status = body(1);
    while (!status.empty()) {
      mail::header_block block(status);
      groups.push_back(status.substr(0, block.length()));
      status.remove_prefix(block.length());
    }
  }
  std::string_view body(std::size_t part) const { return tree.view(parts[part]->body); }
  std::string field(std::string_view name) const { return mail::unfold(mail::header_block(text).value(name)); }
  // Of the message (0) or the nth recipient (from 1).
  std::string status(std::size_t group, std::string_view name) const {
    if (group >= groups.size()) return "(no such group)";
    return mail::unfold(mail::header_block(groups[group]).value(name));
  }
  std::string text;
  mail::mime_tree tree;
  std::vector<const mail::mime_part*> parts;
  std::vector<std::string_view> groups;
};

}  // namespace briefwerk::testing

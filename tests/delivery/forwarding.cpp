// Mail from elsewhere that goes on to elsewhere: its sender is ours, and bounces find the way back.

#include <doctest/doctest.h>

#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/delivery/bounce_directory.hpp"
#include "briefwerk/delivery/local_delivery.hpp"
#include "briefwerk/store/local_store.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::delivery;
using base::sync_wait;

const base::crypto& the_crypto() {
  static const auto instance = crypto::make_boringssl();
  return *instance;
}

mail::mailbox_address address(std::string_view text) {
  auto parsed = mail::parse_mailbox(text);
  REQUIRE(parsed);
  return *parsed;
}

struct host {
  base::manual_clock time{std::chrono::sys_days{std::chrono::year(2026) / 3 / 1}};
  std::unique_ptr<store::local_store> store = store::make_memory_store(the_crypto(), time);
  mailauth::srs rewriting{the_crypto(), {.secrets = {"key"}}};
  bounce_directory addresses{store->directory(), rewriting, time};

  host() {
    auto& all = store->directory();
    REQUIRE(sync_wait(all.put_domain({.name = "example.org"})));
    REQUIRE(sync_wait(all.put_domain({.name = "second.test", .catch_all = "alice@example.org"})));
    auto alice = sync_wait(all.add_account({.login = "alice@example.org"}));
    REQUIRE(alice);
    REQUIRE(sync_wait(store->mailboxes().create_account(alice->id)));
    REQUIRE(sync_wait(all.put_alias({"far@example.org", {"far@elsewhere.test"}})));
    REQUIRE(sync_wait(
        all.put_alias({"all@second.test", {"far@elsewhere.test", "other@elsewhere.test", "alice@example.org"}})));
  }
  std::vector<store::queue_item> send(std::string_view from, const std::vector<std::string>& to, forwarding how,
                                      std::string_view account = {}) {
    local_delivery where(addresses, store->mailboxes(), time, {.hostname = "mx.test", .forwards = std::move(how)});
    mail::smtp_envelope envelope;
    if (!from.empty()) envelope.sender = address(from);
    for (const auto& one : to) {
      const bool bare = one.find('@') == std::string::npos;
      envelope.recipients.push_back({bare ? mail::mailbox_address{one, {}} : address(one), {}, 0});
    }
    const std::string text = "Return-Path: <" + std::string(from) + ">\r\nSubject: x\r\n\r\nHello\r\n";
    REQUIRE(sync_wait(where.deliver(envelope, {.octets = text, .junk = false, .account = account})));
    auto queued = sync_wait(store->queue().list("", 100));
    REQUIRE(queued);
    for (const auto& one : *queued) REQUIRE(sync_wait(store->queue().remove(one.id)));
    return *queued;
  }
  store::resolution resolve(std::string_view text) {
    auto found = sync_wait(addresses.resolve(address(text)));
    REQUIRE(found);
    return *found;
  }
};

}  // namespace

TEST_CASE("forwarding: the sender becomes one of the alias's domain") {
  host here;
  const forwarding how{.rewriting = &here.rewriting, .domain = {}};
  auto queued = here.send("bob@sender.test", {"far@example.org"}, how);
  REQUIRE(queued.size() == 1);
  const std::string sender = queued[0].sender;
  CHECK(sender.starts_with("SRS0="));
  CHECK(sender.ends_with("=sender.test=bob@example.org"));
  CHECK(queued[0].recipients.at(0).address == "far@elsewhere.test");

  // A bounce goes to the original sender, and only with a hash of ours and in time.
  auto back = here.resolve(sender);
  CHECK(back.what == store::resolution::kind::local);
  CHECK(back.accounts.empty());
  CHECK(back.remote == std::vector<std::string>{"bob@sender.test"});
  std::string forged = sender;
  forged[5] = forged[5] == 'a' ? 'b' : 'a';
  CHECK(here.resolve(forged).what == store::resolution::kind::unknown_user);
  const auto bounced = here.send("", {sender}, how);
  REQUIRE(bounced.size() == 1);
  CHECK(bounced[0].sender.empty());
  CHECK(bounced[0].recipients.at(0).address == "bob@sender.test");
  here.time.advance(std::chrono::days(30));
  CHECK(here.resolve(sender).what == store::resolution::kind::unknown_user);
}

TEST_CASE("forwarding: <postmaster> is an address of the domain that has one, RFC 5321 §4.5.1") {
  host here;
  const forwarding how{.rewriting = &here.rewriting, .domain = {}};
  REQUIRE(sync_wait(here.store->directory().put_alias({"postmaster@example.org", {"far@elsewhere.test"}})));
  const auto queued = here.send("bob@sender.test", {"Postmaster"}, how);
  REQUIRE(queued.size() == 1);
  CHECK(queued[0].sender.ends_with("=sender.test=bob@example.org"));
  // In quarantine as well, from where it goes on by this address.
  local_delivery where(here.addresses, here.store->mailboxes(), here.time, {.hostname = "mx.test"});
  mail::smtp_envelope envelope;
  envelope.recipients.push_back({mail::mailbox_address{"Postmaster", {}}, {}, 0});
  REQUIRE(sync_wait(where.deliver(envelope, {.octets = "Subject: x\r\n\r\n", .junk = false, .account = {}, .held = "why"})));
  const auto held = sync_wait(here.store->queue().list("", 100));
  REQUIRE(held);
  REQUIRE(held->size() == 1);
  CHECK(held->at(0).recipients.at(0).address == "Postmaster@example.org");
}

TEST_CASE("forwarding: senders that stay") {
  host here;
  const forwarding how{.rewriting = &here.rewriting, .domain = {}};
  CHECK(here.send("bob@sender.test", {"far@example.org"}, {}).at(0).sender == "bob@sender.test");  // turned off
  CHECK(here.send("", {"far@example.org"}, how).at(0).sender.empty());
  CHECK(here.send("alice@example.org", {"far@example.org"}, how, "a").at(0).sender == "alice@example.org");
  CHECK(here.send("alice@example.org", {"x@elsewhere.test"}, how, "a").at(0).sender == "alice@example.org");
  const std::string longest = std::string(250, 'x') + "@sender.test";
  CHECK(here.send(longest, {"far@example.org"}, how).at(0).sender == longest);
}

TEST_CASE(
    "forwarding: one message by two aliases is one message to each, from the domain that forwards; catch-alls get no "
    "bounces") {
  host here;
  const forwarding how{.rewriting = &here.rewriting, .domain = {}};
  auto queued = here.send("bob@sender.test", {"all@second.test", "far@example.org"}, how);
  REQUIRE(queued.size() == 1);  // far@elsewhere.test once
  CHECK(queued[0].sender.ends_with("@second.test"));
  CHECK(queued[0].recipients.size() == 2);
  queued = here.send("bob@sender.test", {"far@example.org", "all@second.test"}, how);
  REQUIRE(queued.size() == 2);
  const std::string sender = queued[0].sender.ends_with("@second.test") ? queued[0].sender : queued[1].sender;
  CHECK(here.resolve(sender).remote == std::vector<std::string>{"bob@sender.test"});
  CHECK(here.resolve("SRS0=aaaaaaaa=aa=x.test=y@second.test").accounts.size() == 1);  // no valid one: caught

  const forwarding fixed{.rewriting = &here.rewriting, .domain = "example.org"};
  CHECK(here.send("bob@sender.test", {"all@second.test"}, fixed).at(0).sender.ends_with("@example.org"));
  // A foreign rewritten sender: its bounces go to the first forwarder.
  queued = here.send("SRS0=aaaa=bb=origin.test=carol@sender.test", {"far@example.org"}, how);
  CHECK(queued[0].sender.starts_with("SRS1="));
  CHECK(here.resolve(queued[0].sender).remote ==
        std::vector<std::string>{"SRS0=aaaa=bb=origin.test=carol@sender.test"});
  // The original sender is one of ours: the bounce is delivered here.
  const auto ours = here.rewriting.forward(address("alice@example.org"), "second.test",
                                           std::chrono::floor<std::chrono::seconds>(here.time.now()));
  CHECK(here.resolve(mail::format_mailbox(*ours)).accounts.size() == 1);
}

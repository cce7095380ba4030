// The life of DKIM keys, and what signs with them.

#include "briefwerk/delivery/key_ring.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/delivery/mail_signer.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mailauth/dkim.hpp"
#include "briefwerk/store/local_store.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::delivery;
using base::sync_wait;
using store::signing_key_state;

const base::crypto& the_crypto() {
  static const auto instance = crypto::make_boringssl();
  return *instance;
}

constexpr std::string_view message =
    "From: alice@example.org\r\nTo: bob@elsewhere.test\r\nSubject: x\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\n"
    "Message-ID: <1@example.org>\r\n\r\nHello\r\n";

struct office {
  base::manual_clock time{std::chrono::sys_days{std::chrono::year(2026) / 3 / 1}};
  base::scripted_resolver names;
  std::unique_ptr<store::local_store> store = store::make_memory_store(the_crypto(), time);
  key_ring keys{store->signing_keys(), names, the_crypto(), time};
  mail_signer signer{store->signing_keys(), the_crypto(), time, {.hostname = "mx.example.org"}};

  std::vector<store::signing_key> make(const std::string& domain, std::vector<base::key_kind> kinds,
                                       const std::string& selector = "") {
    auto made = sync_wait(keys.generate(domain, std::move(kinds), selector));
    REQUIRE(made);
    return *made;
  }
  void publish(const store::signing_key& key) { names.add_txt(key_record_name(key), key_record_text(key)); }
  std::string states(const std::string& domain) {
    const auto found = sync_wait(keys.list(domain)).value();
    std::string text;
    for (const auto& one : found)
      text += (text.empty() ? "" : " ") + one.selector + "=" + std::string(to_string(one.state));
    return text;
  }
  std::size_t signatures(std::string_view text) {
    const std::string fields = sync_wait(signer.sign(text));
    return mail::header_block(fields).count("DKIM-Signature");
  }
};

const std::vector<base::key_kind> both{base::key_kind::rsa, base::key_kind::ed25519};

}  // namespace

TEST_CASE("keys: one is not used before DNS shows it, and then signs from the next message on") {
  office here;
  const auto made = here.make("Example.ORG", both);
  REQUIRE(made.size() == 2);
  CHECK(made[0].domain == "example.org");
  CHECK(made[0].selector == "20260301r");
  CHECK(made[1].selector == "20260301e");
  CHECK(key_record_name(made[1]) == "20260301e._domainkey.example.org");
  CHECK(key_record_text(made[1]).starts_with("v=DKIM1; k=ed25519; p="));
  CHECK(here.signatures(message) == 0);

  auto checked = sync_wait(here.keys.activate("example.org", "", false));
  REQUIRE(checked);
  CHECK(checked->at(0).in_dns == published::missing);
  CHECK(here.states("example.org") == "20260301e=pending 20260301r=pending");

  here.publish(made[1]);
  sync_wait(here.keys.look_after());
  CHECK(here.states("example.org") == "20260301e=active 20260301r=pending");
  CHECK(here.signatures(message) == 1);
  here.publish(made[0]);
  sync_wait(here.keys.look_after());
  CHECK(here.signatures(message) == 2);

  // What they sign is verified with what is published.
  const std::string whole = sync_wait(here.signer.sign(message)) + std::string(message);
  mailauth::dkim_keys found(the_crypto(), here.names);
  const mailauth::dkim_verifier verifier(found, here.time);
  mailauth::message_hasher hashed(the_crypto());
  hashed.feed(whole);
  hashed.finish();
  const auto results = sync_wait(verifier.verify(hashed));
  REQUIRE(results.size() == 2);
  for (const auto& one : results) {
    CHECK(one.what == mailauth::outcome::pass);
    CHECK(one.domain == "example.org");
    CHECK(one.oversigned);
  }
  CHECK(results[0].selector == "20260301r");  // RSA first
}

TEST_CASE("keys: what DNS shows") {
  office here;
  const auto made = here.make("example.org", {base::key_kind::ed25519}, "s");
  const std::string name = key_record_name(made[0]);
  const auto seen = [&] { return sync_wait(here.keys.check("example.org")).value().at(0).in_dns; };
  CHECK(seen() == published::missing);
  here.names.add_name(name);
  CHECK(seen() == published::missing);
  here.names.clear();
  here.names.add_failure(name, base::dns_type::txt);
  CHECK(seen() == published::unknown);
  here.names.clear();
  here.names.add_txt(name, "v=DKIM1; k=ed25519; p=");
  CHECK(seen() == published::different);
  here.names.clear();
  here.names.add_txt(name, "v=DKIM1; k=ed25519; h=sha1; " + key_record_text(made[0]).substr(24));
  CHECK(seen() == published::different);
  here.names.clear();
  here.names.add_txt(name,
                     "k=ed25519; n=note; t=s; " + key_record_text(made[0]).substr(key_record_text(made[0]).find("p=")));
  CHECK(seen() == published::yes);
  here.names.add_txt(name, key_record_text(made[0]));  // two records
  CHECK(seen() == published::different);
}

TEST_CASE("keys: forced, retired, named, refused") {
  office here;
  here.make("example.org", both, "First");
  CHECK(here.states("") == "first-ed25519=pending first-rsa=pending");
  CHECK(sync_wait(here.keys.generate("example.org", both, "first")).error() == base::errc::already_exists);
  CHECK(sync_wait(here.keys.generate("example.org", both, "two.labels")).error() == base::errc::malformed);
  CHECK(sync_wait(here.keys.generate("not a domain", both)).error() == base::errc::malformed);
  CHECK(sync_wait(here.keys.activate("example.org", "no-such", true)).error() == base::errc::not_found);

  REQUIRE(sync_wait(here.keys.activate("example.org", "first-rsa", true)));
  CHECK(here.states("example.org") == "first-ed25519=pending first-rsa=active");
  CHECK(here.signatures(message) == 1);
  // A pending key was never published for anybody: it is gone at once. An active one has its overlap.
  CHECK(sync_wait(here.keys.retire("example.org", "first-ed25519", false))->state == signing_key_state::retired);
  CHECK(sync_wait(here.keys.retire("example.org", "first-rsa", false))->state == signing_key_state::retiring);
  CHECK(here.signatures(message) == 0);
  CHECK(sync_wait(here.keys.retire("example.org", "first-rsa", true))->private_key.empty());
  CHECK(sync_wait(here.keys.retire("example.org", "first-rsa", true)).error() == base::errc::not_found);
  // Its selector is not given out again.
  CHECK(sync_wait(here.keys.generate("example.org", {base::key_kind::rsa}, "first-rsa")).error() ==
        base::errc::already_exists);
}

TEST_CASE("keys: a rotation with an overlap") {
  office here;
  const auto first = here.make("example.org", both);
  for (const auto& one : first) here.publish(one);
  sync_wait(here.keys.look_after());
  CHECK(here.states("example.org") == "20260301e=active 20260301r=active");

  const auto next = sync_wait(here.keys.rotate("example.org"));
  REQUIRE(next);
  CHECK(here.states("example.org") == "20260301e=active 20260301e2=pending 20260301r=active 20260301r2=pending");
  // The second step waits for DNS.
  CHECK(sync_wait(here.keys.rotate("example.org"))->at(0).in_dns == published::missing);
  CHECK(sync_wait(here.keys.list("example.org"))->size() == 4);
  for (const auto& one : *next) here.publish(one.key);
  REQUIRE(sync_wait(here.keys.rotate("example.org")));
  CHECK(here.states("example.org") == "20260301e=retiring 20260301e2=active 20260301r=retiring 20260301r2=active");
  CHECK(sync_wait(here.signer.sign(message)).find("s=20260301r2") != std::string::npos);
  CHECK(here.signatures(message) == 2);

  here.time.advance(std::chrono::days(7) - std::chrono::seconds(1));
  sync_wait(here.keys.look_after());
  CHECK(here.states("example.org").starts_with("20260301e=retiring"));
  here.time.advance(std::chrono::seconds(1));
  sync_wait(here.keys.look_after());
  CHECK(here.states("example.org") == "20260301e=retired 20260301e2=active 20260301r=retired 20260301r2=active");
  const auto listed = sync_wait(here.keys.list("example.org")).value();
  for (const auto& one : listed)
    CHECK(one.private_key.empty() == (one.state == signing_key_state::retired));
  // A retired key that is still published is told, one that is gone is not.
  CHECK(sync_wait(here.keys.check("example.org"))->size() == 4);
}

TEST_CASE("signing: whose key signs for whom") {
  office here;
  here.make("example.org", {base::key_kind::ed25519}, "s");
  here.make("sub.second.test", {base::key_kind::ed25519}, "s");
  REQUIRE(sync_wait(here.keys.activate("example.org", "", true)));
  REQUIRE(sync_wait(here.keys.activate("sub.second.test", "", true)));
  struct row {
    const char* why;
    std::string_view from;
    std::string_view domain;  // empty: not signed
  };
  const row rows[] = {
      {"own domain", "From: a@example.org\r\n", "d=example.org;"},
      {"letter case", "From: A <a@EXAMPLE.Org>\r\n", "d=example.org;"},
      {"a name below", "From: postmaster@mx.example.org\r\n", "d=example.org;"},
      {"two authors of one domain", "From: a@example.org, b@example.org\r\n", "d=example.org;"},
      {"its own key", "From: a@sub.second.test\r\n", "d=sub.second.test;"},
      {"a name above has none", "From: a@second.test\r\n", ""},
      {"a foreign domain", "From: a@elsewhere.test\r\n", ""},
      {"a name that only ends alike", "From: a@notexample.org\r\n", ""},
      {"two domains", "From: a@example.org, b@sub.second.test\r\n", ""},
      {"no author", "Subject: x\r\n", ""},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    const std::string fields =
        sync_wait(here.signer.sign(std::string(one.from) + "Date: Sun, 1 Mar 2026 12:00:00 +0000\r\n\r\nx\r\n"));
    CAPTURE(fields);
    CHECK(fields.empty() == one.domain.empty());
    CHECK(fields.find(one.domain) != std::string::npos);
  }
}

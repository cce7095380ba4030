// What the complete handler does round the authentication of mail: forged fields go, submitted mail is signed, what an
// alias passes on is sealed.

#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/delivery/key_ring.hpp"
#include "briefwerk/delivery/mail_signer.hpp"
#include "briefwerk/filter/mailauth_stage.hpp"
#include "briefwerk/mail/header.hpp"
#include "server/smtp_support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;

namespace {

std::vector<std::string> values_of(std::string_view message, std::string_view name) {
  std::vector<std::string> all;
  mail::header_reader reader(message);
  for (mail::header_field field; reader.next(field);)
    if (mail::equals_ignoring_case(field.name, name)) all.push_back(mail::unfold(field.value));
  return all;
}

// A host that checks what it takes and signs what it sends, as example.org with an Ed25519 key.
struct checking_host {
  base::scripted_resolver names;
  mail_host host;
  delivery::key_ring keys{host.store->signing_keys(), names, the_crypto(), base::system_clock()};
  delivery::mail_signer signer{
      host.store->signing_keys(), the_crypto(), base::system_clock(), {.hostname = "mx.example.org"}};
  server::mail_handler handler{host.store->directory(),
                               host.chain,
                               host.sink,
                               the_crypto(),
                               base::system_clock(),
                               {.hostname = "mx.test", .signer = &signer}};

  checking_host() {
    const auto made = base::sync_wait(keys.generate("example.org", {base::key_kind::ed25519}, "s"));
    REQUIRE(made);
    names.add_txt(delivery::key_record_name(made->front()), delivery::key_record_text(made->front()));
    REQUIRE(base::sync_wait(keys.activate("example.org", "", false)));
    names.add_txt("good.test", "v=spf1 ip4:127.0.0.1 -all");
    host.chain.add(
        std::make_shared<filter::mailauth_stage>(names, the_crypto(), base::system_clock(),
                                                 filter::mailauth_options{.authserv_id = "mx.test", .may_seal = true}));
    host.mx.handler = host.submission.handler = &handler;
  }
  ~checking_host() { host.threads.stop(0ms); }  // sessions that end ask the handler
  mailauth::arc_result verify_arc(std::string_view message) {
    mailauth::dkim_keys found(the_crypto(), names);
    const mailauth::arc_verifier verifier(found);
    mailauth::message_hasher hashed(the_crypto());
    hashed.feed(message);
    hashed.finish();
    return base::sync_wait(verifier.verify(hashed));
  }
};

}  // namespace

TEST_CASE("port 25: one Authentication-Results on top, what claims to be ours is gone, what others say stays") {
  checking_host all;
  const std::string alice = all.host.add("alice@example.org");
  all.host.start();
  client peer(all.host.mx_port());
  peer.begin();
  const std::string forged =
      "Authentication-Results: mx.test; dkim=pass header.d=bank.test\r\nAuthentication-Results: other.test; "
      "spf=pass\r\n"
      "authentication-results: (x) MX.TEST. 1;\r\n spf=pass\r\nARC-Authentication-Results: i=1; mx.test; dmarc=pass\r\n"
      "ARC-Authentication-Results: i=2; other.test; dmarc=pass\r\nFrom: bob@good.test\r\nX-Authentication-Results: "
      "mx.test; kept\r\n\r\nx\r\n";
  CHECK(peer.send("bob@good.test", "alice@example.org", forged).starts_with("250"));
  const auto texts = all.host.messages(alice);
  REQUIRE(texts.size() == 1);
  CAPTURE(texts[0]);
  const auto results = values_of(texts[0], "Authentication-Results");
  REQUIRE(results.size() == 2);
  CHECK(results[0].starts_with("mx.test;"));
  CHECK(contains(results[0], "spf=pass"));
  CHECK(contains(results[0], "dkim=none"));
  CHECK(results[1] == "other.test; spf=pass");
  CHECK(values_of(texts[0], "ARC-Authentication-Results") == std::vector<std::string>{"i=2; other.test; dmarc=pass"});
  CHECK(contains(texts[0], "X-Authentication-Results: mx.test; kept"));
  // Above our own Received: RFC 8601 §5.
  CHECK(texts[0].find("Authentication-Results: mx.test") < texts[0].find("\r\nReceived:"));
  CHECK(values_of(texts[0], "X-Spam-Flag").empty());

  CHECK(
      peer.send("bob@elsewhere.test", "alice@example.org", "From: bob@elsewhere.test\r\n\r\nx\r\n").starts_with("250"));
  const auto junk = all.host.messages(alice, "Junk");
  REQUIRE(junk.size() == 1);
  CHECK(values_of(junk[0], "X-Spam-Flag") == std::vector<std::string>{"YES"});
}

TEST_CASE("Submission: the signature covers what the server added, and local mail has it, too") {
  checking_host all;
  all.host.add("alice@example.org");
  const std::string bob = all.host.add("bob@example.org");
  all.host.start();
  client peer(all.host.submission_port());
  peer.begin();
  peer.log_in("alice@example.org", "secret");
  const std::string text =
      "Authentication-Results: mx.test; spf=pass\r\nFrom: alice@example.org\r\nSubject: x\r\n\r\nHello\r\n";
  CHECK(peer.ask("MAIL FROM:<alice@example.org>").starts_with("250"));
  CHECK(peer.ask("RCPT TO:<bob@example.org>").starts_with("250"));
  CHECK(peer.ask("RCPT TO:<far@elsewhere.test>").starts_with("250"));
  CHECK(peer.data(text).starts_with("250"));
  const auto texts = all.host.messages(bob);
  REQUIRE(texts.size() == 1);
  CAPTURE(texts[0]);
  CHECK(values_of(texts[0], "Authentication-Results").empty());
  mailauth::dkim_keys found(the_crypto(), all.names);
  const mailauth::dkim_verifier verifier(found, base::system_clock());
  mailauth::message_hasher hashed(the_crypto());
  hashed.feed(texts[0]);
  hashed.finish();
  const auto results = base::sync_wait(verifier.verify(hashed));
  REQUIRE(results.size() == 1);
  CHECK(results[0].what == mailauth::outcome::pass);
  const std::string signature = values_of(texts[0], "DKIM-Signature").at(0);
  for (const char* field : {"date", "message-id", "from:", "subject", "to:", "reply-to", "list-id"}) {
    CAPTURE(field);
    std::string lower = signature;
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    CHECK(contains(lower, field));
  }
  REQUIRE(all.host.queued().size() == 1);
}

TEST_CASE("port 25: mail that an alias passes on gets an ARC set that verifies; other mail does not") {
  checking_host all;
  const std::string alice = all.host.add("alice@example.org");
  all.host.alias("both@example.org", {"alice@example.org", "far@elsewhere.test"});
  all.host.start();
  client peer(all.host.mx_port());
  peer.begin();
  const std::string text = "From: bob@good.test\r\nSubject: x\r\nX-Spam-Flag: NO\r\n\r\nHello\r\n";
  CHECK(peer.send("bob@good.test", "alice@example.org", text).starts_with("250"));
  CHECK(peer.send("bob@good.test", "both@example.org", text).starts_with("250"));
  auto texts = all.host.messages(alice);
  REQUIRE(texts.size() == 2);
  CHECK(values_of(texts[0], "ARC-Seal").empty());
  CAPTURE(texts[1]);
  const auto chain = all.verify_arc(texts[1]);
  CHECK(chain.what == mailauth::outcome::pass);
  REQUIRE(chain.sets.size() == 1);
  CHECK(chain.sets[0].domain == "example.org");
  CHECK(contains(chain.sets[0].results, "spf=pass"));

  // It comes back by another server: our set is ours, and stays; a second one goes on top.
  CHECK(peer.send("bob@good.test", "both@example.org", texts[1].substr(texts[1].find("ARC-"))).starts_with("250"));
  texts = all.host.messages(alice);
  REQUIRE(texts.size() == 3);
  CAPTURE(texts[2]);
  CHECK(values_of(texts[2], "ARC-Authentication-Results").size() == 2);
  const auto longer = all.verify_arc(texts[2]);
  CHECK(longer.what == mailauth::outcome::pass);
  CHECK(longer.sets.size() == 2);
}

// Nobody gets mail through this server who did not log in, whatever form the address has.

#include "server/smtp_support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;

TEST_CASE("smtp: no relaying for strangers") {
  mail_host host;
  const std::string alice = host.add("alice@example.org");
  host.start();
  struct row {
    const char* why;
    std::string_view to;
    std::string_view code;
  };
  const row rows[] = {
      {"a local user", "<alice@example.org>", "250"},
      {"letter case", "<Alice@EXAMPLE.org>", "250"},
      {"sub-address", "<alice+tag@example.org>", "250"},
      {"source route that ends here, RFC 5321 §C", "<@relay.test,@other.test:alice@example.org>", "250"},
      {"another domain", "<bob@elsewhere.test>", "550 5.7.1"},
      {"sub-domain of ours", "<alice@sub.example.org>", "550 5.7.1"},
      {"our domain as a prefix", "<alice@example.org.elsewhere.test>", "550 5.7.1"},
      {"percent hack", "<bob%elsewhere.test@example.org>", "550 5.1.1"},
      {"UUCP path", "<elsewhere.test!bob@example.org>", "550 5.1.1"},
      {"quoted local part with @", "<\"bob@elsewhere.test\"@example.org>", "550 5.1.1"},
      {"quoted local part with @, foreign", "<\"alice@example.org\"@elsewhere.test>", "550 5.7.1"},
      {"quoted pair", "<\"alice\\@example.org\"@elsewhere.test>", "550 5.7.1"},
      {"source route through us", "<@example.org:bob@elsewhere.test>", "550 5.7.1"},
      {"two @", "<bob@elsewhere.test@example.org>", "501"},
      {"percent hack in a source route", "<@example.org:bob%elsewhere.test@elsewhere.test>", "550 5.7.1"},
      {"address literal of our own", "<alice@[127.0.0.1]>", "550 5.7.1"},
      {"address literal, percent hack", "<bob%elsewhere.test@[127.0.0.1]>", "550 5.7.1"},
      {"address literal, IPv6", "<alice@[IPv6:::1]>", "550 5.7.1"},
      {"no domain", "<bob>", "50"},
      {"unknown user", "<nobody@example.org>", "550 5.1.1"},
      {"trailing dot", "<alice@example.org.>", "501"},
      {"space before the bracket closes", "<alice@example.org >", "501"},
      {"NUL-like escape", "<\"bob\\@elsewhere.test\"@example.org>", "550 5.1.1"},
      {"null", "<>", "501"},
      {"no brackets", "bob@elsewhere.test", "501"},
  };
  for (const std::string_view from : {"<>", "<somebody@elsewhere.test>", "<alice@example.org>"}) {
    for (const row& one : rows) {
      CAPTURE(one.why);
      CAPTURE(from);
      client peer(host.mx_port());
      peer.begin();
      REQUIRE(peer.ask("MAIL FROM:" + std::string(from)).starts_with("250"));
      const std::string said = peer.ask("RCPT TO:" + std::string(one.to));
      CHECK_MESSAGE(said.starts_with(one.code), said);
    }
  }
  CHECK(host.queued().empty());
  CHECK(host.messages(alice).empty());
}

TEST_CASE("smtp: Submission without a login takes nothing, not even for local users") {
  mail_host host;
  host.add("alice@example.org");
  host.start();
  client peer(host.submission_port());
  peer.begin();
  CHECK(peer.ask("MAIL FROM:<alice@example.org>").starts_with("530 5.7.0"));
  CHECK(peer.ask("RCPT TO:<alice@example.org>").starts_with("5"));
}

TEST_CASE("smtp: a catch-all takes what nobody has, an alias expands, and neither relays to others") {
  mail_host host;
  const std::string alice = host.add("alice@example.org"), bob = host.add("bob@example.org");
  REQUIRE(base::sync_wait(host.store->directory().put_domain({.name = "all.test", .catch_all = "bob@example.org"})).has_value());
  host.alias("both@example.org", {"alice@example.org", "bob@example.org", "far@elsewhere.test"});
  host.start();
  client peer(host.mx_port());
  peer.begin();
  CHECK(peer.send("a@elsewhere.test", "whoever%there.test@all.test", "Subject: x\r\n\r\nHello\r\n").starts_with("250"));
  CHECK(host.messages(bob).size() == 1);
  CHECK(peer.send("a@elsewhere.test", "both@example.org", "Subject: y\r\n\r\n").starts_with("250"));
  CHECK(host.messages(alice).size() == 1);
  CHECK(host.messages(bob).size() == 2);
  REQUIRE(host.queued().size() == 1);
  REQUIRE(host.queued().front().recipients.size() == 1);
  CHECK(host.queued().front().recipients.front().address == "far@elsewhere.test");
  CHECK(peer.ask("RCPT TO:<far@elsewhere.test>").starts_with("503"));
}

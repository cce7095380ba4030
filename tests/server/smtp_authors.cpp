// Submission: whom a message may say it is from.

#include "server/smtp_support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;

namespace {

struct row {
  const char* why;
  std::string_view header;
  std::string_view reply;
};

const row rows[] = {
    {"own address", "From: alice@example.org\r\n", "250"},
    {"own address with a name", "From: \"Alice, of all\" <alice@example.org>\r\n", "250"},
    {"letter case and a tag", "FROM:Alice+x@EXAMPLE.org\r\n", "250"},
    {"folded", "From: Alice\r\n <alice@example.org>\r\n", "250"},
    {"white space before the colon (RFC 5322 §4.5)", "From : alice@example.org\r\n", "250"},
    {"an alias of hers, and a Sender", "From: sales@example.org\r\nSender: alice@example.org\r\n", "250"},
    {"the Sender first", "Sender: alice@example.org\r\nFrom: alice@example.org\r\n", "250"},
    {"a group of her own addresses (RFC 6854)", "From: us: alice@example.org, sales@example.org;\r\n", "250"},
    {"another account", "From: bob@example.org\r\n", "550 5.7.1 From or Sender"},
    {"another domain", "From: Alice <ceo@bank.test>\r\n", "550 5.7.1 From or Sender"},
    {"own address as the name of another", "From: \"alice@example.org\" <ceo@bank.test>\r\n",
     "550 5.7.1 From or Sender"},
    {"own address in a comment", "From: ceo@bank.test (alice@example.org)\r\n", "550 5.7.1 From or Sender"},
    {"one of two is another's", "From: alice@example.org, bob@example.org\r\n", "550 5.7.1 From or Sender"},
    {"another's inside a group", "From: us: alice@example.org, bob@example.org;\r\n", "550 5.7.1 From or Sender"},
    {"an alias of several", "From: all@example.org\r\n", "550 5.7.1 From or Sender"},
    {"a Sender of another", "From: alice@example.org\r\nSender: bob@example.org\r\n", "550 5.7.1 From or Sender"},
    {"own Sender does not excuse From", "From: ceo@bank.test\r\nSender: alice@example.org\r\n",
     "550 5.7.1 From or Sender"},
    {"two From fields", "From: alice@example.org\r\nFrom: ceo@bank.test\r\n",
     "550 5.7.1 The message has more than one"},
    {"two From fields of hers", "From: alice@example.org\r\nfrom: alice@example.org\r\n",
     "550 5.7.1 The message has more than one"},
    {"two Sender fields", "From: alice@example.org\r\nSender: alice@example.org\r\nSender: bob@example.org\r\n",
     "550 5.7.1 The message has more than one"},
    {"no From", "Subject: x\r\n", "550 5.7.1 The message has no From"},
    {"no From, only a Sender", "Sender: alice@example.org\r\n", "550 5.7.1 The message has no From"},
    {"empty From", "From:\r\n", "550 5.7.1 The message has no From"},
    {"empty group", "From: undisclosed:;\r\n", "550 5.7.1 The message has no From"},
    {"no domain", "From: alice\r\n", "550 5.7.1 A From or Sender address"},
    {"From in the body only", "Subject: x\r\n\r\nFrom: alice@example.org\r\n", "550 5.7.1 The message has no From"},
    {"no header at all", "", "550 5.7.1 The message has no From"},
};

}  // namespace

TEST_CASE("Submission: From and Sender are addresses that the account may use") {
  mail_host host;
  host.add("alice@example.org");
  const std::string bob = host.add("bob@example.org");
  host.alias("sales@example.org", {"alice@example.org"});
  host.alias("all@example.org", {"alice@example.org", "bob@example.org"});
  host.start();
  client peer(host.submission_port());
  peer.begin();
  peer.log_in("alice@example.org", "secret");
  std::size_t taken = 0;
  for (const row& one : rows) {
    CAPTURE(one.why);
    const std::string said =
        peer.send("alice@example.org", "bob@example.org", std::string(one.header) + "\r\nHello\r\n");
    CHECK_MESSAGE(said.starts_with(one.reply), said);
    taken += one.reply == "250";
  }
  // The null sender of receipts does not hide who writes them.
  CHECK(peer.send("", "bob@example.org", "From: bob@example.org\r\n\r\nx\r\n").starts_with("550 5.7.1"));
  CHECK(host.messages(bob).size() == taken);
}

TEST_CASE("Submission: the check of From can be turned off; port 25 has none") {
  mail_host host;
  const std::string alice = host.add("alice@example.org");
  server::mail_handler lenient(host.store->directory(), host.chain, host.sink, the_crypto(), base::system_clock(),
                               {.hostname = "mx.test", .own_from_only = false});
  host.submission.handler = &lenient;
  host.start();
  client peer(host.submission_port());
  peer.begin();
  peer.log_in("alice@example.org", "secret");
  CHECK(peer.send("alice@example.org", "alice@example.org", "From: ceo@bank.test\r\n\r\nx\r\n").starts_with("250"));
  client stranger(host.mx_port());
  stranger.begin();
  CHECK(stranger.send("a@elsewhere.test", "alice@example.org", "From: alice@example.org\r\n\r\nx\r\n")
            .starts_with("250"));
  CHECK(host.messages(alice).size() == 2);
  host.threads.stop(0ms);  // sessions that end ask the handler
}

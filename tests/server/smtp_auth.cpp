// AUTH over the wire: every mechanism, and everybody who must not get in.

#include "briefwerk/protocol/sasl/negotiation.hpp"
#include "server/smtp_support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
namespace sasl = protocol::sasl;

namespace {

// One exchange with one mechanism; the final reply.
std::string log_in(client& peer, std::string_view mechanism, std::string_view user, std::string_view password,
                   std::string_view authzid = {}, std::string_view binding = {}) {
  sasl::client_options options{.authcid = std::string(user), .password = std::string(password), .authzid = std::string(authzid), .tls = true};
  if (mechanism.ends_with("-PLUS")) {
    const std::string data = binding.empty() ? peer.stream().tls_exporter().value() : std::string(binding);
    options.channel_bindings.push_back({"tls-exporter", data});
  }
  const std::string_view offered[] = {mechanism};
  auto made = sasl::make_client(offered, options, the_crypto());
  REQUIRE(made.has_value());
  const auto initial = (*made)->start();
  std::string line = "AUTH " + std::string(mechanism);
  if (initial) line += " " + (initial->empty() ? "=" : base::base64_encode(*initial));
  std::string said = peer.ask(line);
  while (said.starts_with("334")) {
    const auto challenge = base::base64_decode(said.substr(4, said.size() - 6));
    REQUIRE(challenge.has_value());
    const auto answer = (*made)->response(*challenge);
    said = peer.ask(answer ? base::base64_encode(*answer) : "*");
  }
  if (said.starts_with("235")) {
    const auto end = (*made)->finish(std::nullopt);
    CHECK(end.has_value());
  }
  return said;
}

constexpr std::string_view mechanisms[] = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1",
                                           "CRAM-MD5", "PLAIN", "LOGIN"};

}  // namespace

TEST_CASE("smtp AUTH: every mechanism lets in who has the password, and nobody else") {
  mail_host host;
  host.add("alice@example.org", "secret", server::password_scheme::recoverable);
  host.add("bob@example.org", "geheim");
  host.add("carol@example.org", "secret");
  auto carol = base::sync_wait(host.store->directory().find_account("carol@example.org"));
  REQUIRE(carol.has_value());
  carol->enabled = false;
  REQUIRE(base::sync_wait(host.store->directory().update_account(*carol)).has_value());
  host.alias("sales@example.org", {"bob@example.org"});
  host.start();
  struct row {
    const char* why;
    std::string_view user, password, authzid;
    bool scram, recoverable;  // who gets in, with mechanisms other than CRAM-MD5 and with CRAM-MD5
  };
  const row rows[] = {
      {"recoverable secret", "alice@example.org", "secret", "", true, true},
      {"SCRAM keys", "bob@example.org", "geheim", "", true, false},
      {"letter case of the name", "BOB@Example.org", "geheim", "", true, false},
      {"an alias of one account", "sales@example.org", "geheim", "", true, false},
      {"wrong password", "alice@example.org", "Secret", "", false, false},
      {"another's password", "alice@example.org", "geheim", "", false, false},
      {"unknown user", "nobody@example.org", "secret", "", false, false},
      {"unknown domain", "alice@elsewhere.test", "secret", "", false, false},
      {"disabled account", "carol@example.org", "secret", "", false, false},
      {"as oneself", "bob@example.org", "geheim", "bob@example.org", true, false},
      {"as somebody else", "bob@example.org", "geheim", "alice@example.org", false, false},
      {"as nobody", "bob@example.org", "geheim", "root", false, false},
  };
  for (const row& one : rows) {
    for (const std::string_view mechanism : mechanisms) {
      if (!one.authzid.empty() && (mechanism == "LOGIN" || mechanism == "CRAM-MD5")) continue;  // they have none
      CAPTURE(one.why);
      CAPTURE(mechanism);
      client peer(host.submission_port());
      peer.begin();
      const bool may = mechanism == "CRAM-MD5" ? one.recoverable : one.scram;
      const std::string said = log_in(peer, mechanism, one.user, one.password, one.authzid);
      if (may) {
        CHECK_MESSAGE(said.starts_with("235 2.7.0"), said);
        CHECK(peer.ask("AUTH PLAIN AGEAYg==").starts_with("503"));
        CHECK(peer.ask("MAIL FROM:<nobody@elsewhere.test>").starts_with("550 5.7.1"));
      } else {
        CHECK_MESSAGE(said.starts_with("535 5.7.8"), said);
        CHECK(peer.ask("MAIL FROM:<alice@example.org>").starts_with("530 5.7.0"));
      }
    }
  }
  CHECK_FALSE(contains(host.log.all(), "secret"));
  CHECK_FALSE(contains(host.log.all(), "geheim"));
}

TEST_CASE("smtp AUTH: -PLUS bound to another connection is refused") {
  mail_host host;
  host.add("bob@example.org", "geheim");
  host.start();
  client peer(host.submission_port());
  peer.begin();
  CHECK(log_in(peer, "SCRAM-SHA-256-PLUS", "bob@example.org", "geheim", {}, std::string(32, 'x')).starts_with("535 5.7.8"));
  CHECK(log_in(peer, "SCRAM-SHA-256-PLUS", "bob@example.org", "geheim").starts_with("235"));
}

TEST_CASE("smtp AUTH: not before TLS, not what is not offered, cancelled and broken exchanges, five failures") {
  mail_host host;
  host.add("bob@example.org", "geheim");
  host.start();
  client clear(host.submission_port());
  clear.read();
  CHECK_FALSE(contains(clear.ask("EHLO a.test"), "AUTH"));
  CHECK(clear.ask("AUTH PLAIN AGEAYg==").starts_with("53"));
  CHECK(clear.ask("AUTH LOGIN").starts_with("53"));

  client peer(host.submissions_port(), true);
  REQUIRE(peer.read().starts_with("220"));
  const std::string offered = peer.ask("EHLO a.test");
  CHECK(contains(offered, "AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN"));
  CHECK(peer.ask("AUTH GSSAPI").starts_with("504"));
  CHECK(peer.ask("AUTH LOGIN").starts_with("334"));
  CHECK(peer.ask("*").starts_with("501"));
  CHECK(peer.ask("AUTH PLAIN !!!").starts_with("501"));
  // A cancelled exchange leaves nothing that a new one stumbles over.
  CHECK(peer.ask("AUTH SCRAM-SHA-256 " + base::base64_encode("n,,n=bob@example.org,r=abc")).starts_with("334"));
  CHECK(peer.ask("*").starts_with("501"));
  CHECK(log_in(peer, "SCRAM-SHA-256", "bob@example.org", "geheim").starts_with("235"));

  client guesser(host.submission_port());
  guesser.begin();
  std::string said;
  int tries = 0;
  for (; tries < 20 && !said.starts_with("421"); ++tries) {
    said = log_in(guesser, "PLAIN", "bob@example.org", "x" + std::to_string(tries));
    if (said.empty()) break;
    if (said.starts_with("535") && tries + 1 >= 5) said = guesser.read();
  }
  CHECK(tries <= 6);
  CHECK(guesser.ask("NOOP").empty());
}

TEST_CASE("smtp AUTH: a login in the clear, where that is allowed, does not survive STARTTLS (RFC 3207 §4.2)") {
  mail_host host;
  host.add("bob@example.org", "geheim");
  host.submission.protocol.auth_without_tls = true;
  host.submission.protocol.require_tls = false;
  host.submission.protocol.require_auth = false;
  host.start();
  client peer(host.submission_port());
  peer.read();
  peer.ask("EHLO a.test");
  peer.log_in("bob@example.org", "geheim");
  peer.ask("STARTTLS");
  REQUIRE(peer.tls());
  peer.ask("EHLO a.test");
  CHECK(peer.ask("MAIL FROM:<bob@example.org>").starts_with("530 5.7.0"));
  CHECK(peer.ask("RCPT TO:<x@elsewhere.test>").starts_with("5"));
}

namespace {

class broken_authenticator final : public server::authenticator {
 public:
  std::vector<std::string> mechanisms(bool) const override { return {"PLAIN"}; }
  std::unique_ptr<server::auth_exchange> start(std::string_view, const server::auth_origin&) override {
    class exchange final : public server::auth_exchange {
      base::task<server::auth_result> respond(std::optional<std::string_view> message) override {
        if (message && message->size() > 6) co_return server::auth_result{.what = server::auth_result::kind::banned};
        throw std::runtime_error("no database");
      }
    };
    return std::make_unique<exchange>();
  }
  base::task<server::auth_result> check_password(std::string_view, std::string_view, const server::auth_origin&) override {
    co_return server::auth_result{};
  }
};

}  // namespace

TEST_CASE("smtp AUTH: an authenticator that throws is a temporary failure; one that bans ends the session") {
  mail_host host;
  broken_authenticator broken;
  host.submission.authenticator = &broken;
  host.start();
  client peer(host.submission_port());
  peer.begin();
  CHECK(peer.ask("AUTH PLAIN AGEAYg==").starts_with("454 4.7.0"));
  CHECK(peer.ask("AUTH PLAIN " + base::base64_encode(std::string(10, 'x'))).starts_with("421"));
  host.threads.stop(1s);
}

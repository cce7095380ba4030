// The milter stage: addresses, macros, parameters. (tests/e2e/milter.py talks to milters.)

#include <doctest/doctest.h>

#include "briefwerk/filter/auth_facts.hpp"
#include "briefwerk/server/milter_stage.hpp"
#include "server/milter/macros.hpp"
#include "server/milter/parameters.hpp"

using namespace briefwerk;
using namespace briefwerk::server;

TEST_CASE("addresses of milters") {
  const auto tcp = [](std::string_view text) { return base::endpoint::parse(text).value(); };
  struct row {
    const char* why;
    std::string_view text;
    std::optional<milter_address> is;
  };
  const row rows[] = {
      {"a Unix socket", "unix:/run/opendkim/socket", milter_address{.path = "/run/opendkim/socket"}},
      {"as Sendmail names it", "local:/run/x", milter_address{.path = "/run/x"}},
      {"a path that is not whole", "unix:run/x", std::nullopt},
      {"port at host", "inet:11332@127.0.0.1", milter_address{.tcp = tcp("127.0.0.1:11332")}},
      {"localhost", "inet:8891@localhost", milter_address{.tcp = tcp("127.0.0.1:8891")}},
      {"Postfix's way", "inet:localhost:8891", milter_address{.tcp = tcp("127.0.0.1:8891")}},
      {"IPv6", "inet6:8891@[::1]", milter_address{.tcp = tcp("[::1]:8891")}},
      {"localhost of IPv6", "inet6:8891@localhost", milter_address{.tcp = tcp("[::1]:8891")}},
      {"a name would have to be looked up", "inet:8891@mx.example", std::nullopt},
      {"no port", "inet:127.0.0.1", std::nullopt},
      {"port 0", "inet:0@127.0.0.1", std::nullopt},
      {"a port too many", "inet:65536@127.0.0.1", std::nullopt},
      {"no kind", "/run/x", std::nullopt},
      {"nothing", "", std::nullopt},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    CHECK((parse_milter_address(one.text) == one.is));
  }
}

TEST_CASE("macros of a session") {
  filter::session_facts session;
  session.session_id = "id1";
  session.remote = base::endpoint::parse("192.0.2.1:1025").value();
  session.local = base::endpoint::parse("198.51.100.1:25").value();
  mail::smtp_envelope envelope;
  envelope.sender = mail::mailbox_address{"a", "b.example"};
  const mail::envelope_recipient recipient{.address = {"c", "d.example"}};
  const auto at = [&](std::string_view name) {
    return macro_value({session, "mx.example", &envelope, &recipient}, name).value_or("-");
  };
  CHECK(at("i") == "id1");
  CHECK(at("j") == "mx.example");
  CHECK(at("_") == "[192.0.2.1] [192.0.2.1]");
  CHECK(at("{client_name}") == "[192.0.2.1]");
  CHECK(at("{client_ptr}") == "unknown");
  CHECK(at("{client_addr}") == "192.0.2.1");
  CHECK(at("{client_port}") == "1025");
  CHECK(at("{daemon_name}") == "MTA");
  CHECK(at("{daemon_port}") == "25");
  CHECK(at("{if_addr}") == "198.51.100.1");
  CHECK(at("{mail_addr}") == "a@b.example");
  CHECK(at("{mail_host}") == "b.example");
  CHECK(at("{rcpt_addr}") == "c@d.example");
  CHECK(at("{rcpt_mailer}") == "local");
  CHECK(at("{auth_type}") == "-");
  CHECK(at("{auth_authen}") == "-");
  CHECK(at("{tls_version}") == "-");
  CHECK(at("{cipher_bits}") == "-");
  CHECK(at("{no_such}") == "-");
  CHECK(macro_value({session, "mx.example"}, "{mail_addr}") == std::nullopt);

  filter::auth_facts_of(session).client_name = "client.example";
  session.where = filter::scope::submission;
  session.account = "7";
  session.login = "alice@example.org";
  session.login_mechanism = "plain";
  session.tls_version = "TLSv1.3";
  session.tls_cipher = "TLS_AES_128_GCM_SHA256";
  CHECK(at("_") == "client.example [192.0.2.1]");
  CHECK(at("{daemon_name}") == "ORIGINATING");
  CHECK(at("{auth_type}") == "PLAIN");
  CHECK(at("{auth_authen}") == "alice@example.org");
  CHECK(at("{tls_version}") == "TLSv1.3");
  CHECK(at("{cipher}") == "TLS_AES_128_GCM_SHA256");
  CHECK(at("{cipher_bits}") == "128");
  CHECK(at("{rcpt_mailer}") == "smtp");
}

TEST_CASE("parameters of MAIL and RCPT") {
  using strings = std::vector<std::string>;
  CHECK(mail_parameters({}) == strings{});
  mail::smtp_envelope envelope;
  envelope.announced_size = 100;
  envelope.body = mail::body_kind::eight_bit_mime;
  envelope.smtputf8 = true;
  envelope.ret = mail::return_content::headers;
  envelope.envelope_id = "x+20y";
  CHECK(mail_parameters(envelope) == strings{"SIZE=100", "BODY=8BITMIME", "SMTPUTF8", "RET=HDRS", "ENVID=x+20y"});
  CHECK(rcpt_parameters({.address = {"a", "b.example"}}) == strings{});
  CHECK(rcpt_parameters({.address = {"a", "b.example"}, .original_recipient = "rfc822;c@d.example",
                         .notify_on = mail::notify::success | mail::notify::delay}) ==
        strings{"NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;c@d.example"});
}

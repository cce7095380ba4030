#include <doctest/doctest.h>

#include <span>
#include <string>

#include "imap_script.hpp"

using imap_test::player;
namespace imap = briefwerk::protocol::imap;
namespace limits = briefwerk::base::limits;

namespace {

imap::server_options plain_options() {
  imap::server_options options;
  options.greeting = "ready";
  options.mechanisms = {"PLAIN", "SCRAM-SHA-256"};
  options.append_limit = 1000;
  return options;
}

const std::string login = "l LOGIN smith sesame\r\n";

std::string without_capabilities(std::string text) {
  for (std::size_t at = 0; (at = text.find("[CAPABILITY ", at)) != text.npos; ++at) {
    text.erase(at + 1, text.find(']', at) - at - 1);
  }
  return text;
}

struct script {
  const char* why;
  std::string_view in;   // after the login, where `log_in` is set
  std::string_view out;  // after the login's answer
  std::string_view log;  // questions
  bool log_in = true;
  bool tls = true;
};

void check(std::span<const script> scripts, const imap::server_options& options) {
  for (const auto& [why, in, out, log, log_in, tls] : scripts) {
    CAPTURE(why);
    for (const std::size_t portion : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{64}}) {
      CAPTURE(portion);
      player client(options);
      if (tls) client.session.tls_started();
      client.play(log_in ? login : std::string());
      client.transcript.clear();
      client.log.clear();
      client.play(in, portion);
      CHECK(without_capabilities(client.transcript) == out);
      CHECK(client.log == log);
    }
    // Cut once at each octet.
    for (std::size_t cut = 1; cut < in.size(); ++cut) {
      player client(options);
      if (tls) client.session.tls_started();
      client.play(log_in ? login : std::string());
      client.transcript.clear();
      client.play(in.substr(0, cut));
      client.play(in.substr(cut));
      if (without_capabilities(client.transcript) != out) {
        CAPTURE(cut);
        CHECK(without_capabilities(client.transcript) == out);
      }
    }
  }
}

}  // namespace

TEST_CASE("imap session: greeting and capabilities") {
  const auto options = plain_options();
  player client(options);
  client.play("a CAPABILITY\r\n");
  CHECK(client.transcript ==
        "* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ENABLE ID STARTTLS LOGINDISABLED IDLE NAMESPACE UIDPLUS UNSELECT "
        "CHILDREN MOVE ESEARCH LIST-EXTENDED LIST-STATUS STATUS=SIZE SPECIAL-USE CREATE-SPECIAL-USE APPENDLIMIT=1000] ready\r\n"
        "* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ENABLE ID STARTTLS LOGINDISABLED IDLE NAMESPACE UIDPLUS UNSELECT "
        "CHILDREN MOVE ESEARCH LIST-EXTENDED LIST-STATUS STATUS=SIZE SPECIAL-USE CREATE-SPECIAL-USE APPENDLIMIT=1000\r\n"
        "a OK CAPABILITY completed\r\n");

  struct row {
    const char* why;
    imap::capability_state state;
    std::string_view has, lacks;
  };
  const row rows[] = {
      {"RFC 9051 §6.2.1: before TLS", {false, false}, " STARTTLS", " AUTH="},
      {"RFC 9051 §6.2.3: before TLS", {false, false}, " LOGINDISABLED", " AUTH="},
      {"inside TLS", {true, false}, " AUTH=PLAIN AUTH=SCRAM-SHA-256", "STARTTLS"},
      {"inside TLS", {true, false}, " AUTH=PLAIN", "LOGINDISABLED"},
      {"after the login", {true, true}, " UIDPLUS", "AUTH="},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    const auto list = imap::capability_list(options, row.state);
    CHECK(list.find(row.has) != list.npos);
    CHECK(list.find(row.lacks) == list.npos);
  }
  auto other = options;
  other.offered.literals = imap::literal_rule::plus;
  other.offered.move = false;
  const auto list = imap::capability_list(other, {true, true});
  CHECK(list.find("LITERAL+") != list.npos);
  CHECK(list.find("LITERAL-") == list.npos);
  CHECK(list.find("MOVE") == list.npos);
}

TEST_CASE("imap session: before the login") {
  const script rows[] = {
      {"RFC 9051 §11.1, RFC 5530 §3", "a LOGIN smith sesame\r\n", "a NO [PRIVACYREQUIRED] Logins need TLS\r\n", "", false, false},
      {"the password is not asked for", "a LOGIN {5}\r\n", "a NO [PRIVACYREQUIRED] Logins need TLS\r\n", "", false, false},
      {"a password sent along is dropped", "a LOGIN {5+}\r\nsmith {6+}\r\nsesame\r\nb NOOP\r\n",
       "a NO [PRIVACYREQUIRED] Logins need TLS\r\nb OK Completed\r\n", "<noop>", false, false},
      {"AUTHENTICATE as well", "a AUTHENTICATE PLAIN\r\n", "a NO [PRIVACYREQUIRED] Logins need TLS\r\n", "", false, false},
      {"RFC 9051 §6.3", "a SELECT INBOX\r\n", "a BAD Log in first\r\n", "", false},
      {"RFC 9051 §6.2.3", "a LOGIN smith sesame\r\n", "a OK [] Logged in\r\n", "<login [smith] [sesame]>", false},
      {"wrong password", "a LOGIN smith x\r\n", "a NO [AUTHENTICATIONFAILED] Login failed\r\n", "<login [smith] [x]>", false},
      {"literals", "a LOGIN {5}\r\nsmith {6+}\r\nsesame\r\n", "+ Ready for literal data\r\na OK [] Logged in\r\n",
       "<login [smith] [sesame]>", false},
      {"twice", login, "l BAD Logged in already\r\n", ""},
      {"STARTTLS inside TLS", "a STARTTLS\r\n", "a BAD TLS is active already\r\n", "", false},
      {"RFC 9051 §6.2.2", "a AUTHENTICATE PLAIN\r\nc2VzYW1l\r\n", "+ \r\na OK [] Logged in\r\n",
       "<auth PLAIN first -><auth PLAIN sesame>", false},
      {"RFC 4959", "a AUTHENTICATE plain c2VzYW1l\r\n", "a OK [] Logged in\r\n", "<auth PLAIN first sesame>", false},
      {"RFC 4959 §3 empty initial response", "a AUTHENTICATE PLAIN =\r\n", "a NO [AUTHENTICATIONFAILED] Login failed\r\n",
       "<auth PLAIN first >", false},
      {"several challenges", "a AUTHENTICATE PLAIN bW9yZQ==\r\nbW9yZQ==\r\nc2VzYW1l\r\n",
       "+ YW5kPw==\r\n+ YW5kPw==\r\na OK [] Logged in\r\n", "<auth PLAIN first more><auth PLAIN more><auth PLAIN sesame>", false},
      {"RFC 9051 §6.2.2 cancel", "a AUTHENTICATE PLAIN\r\n*\r\nb NOOP\r\n", "+ \r\na BAD AUTHENTICATE cancelled\r\nb OK Completed\r\n",
       "<auth PLAIN first -><cancelled><noop>", false},
      {"not base64", "a AUTHENTICATE PLAIN\r\n!!\r\nb NOOP\r\n", "+ \r\na BAD Invalid base64\r\nb OK Completed\r\n",
       "<auth PLAIN first -><cancelled><noop>", false},
      {"not base64 at once", "a AUTHENTICATE PLAIN abc\r\n", "a BAD Invalid base64\r\n", "", false},
      {"unknown mechanism", "a AUTHENTICATE NTLM\r\n", "a NO [CANNOT] Unknown mechanism\r\n", "", false},
      {"RFC 9051 §6.1.3", "a LOGOUT\r\nb NOOP\r\n", "* BYE Logging out\r\na OK LOGOUT completed\r\n", "", false, false},
      {"line without a tag", "\r\n", "* BAD A command begins with a tag\r\n", "", false},
      {"bare LF", "a NOOP\nb NOOP\r\n", "a BAD Lines end in CRLF\r\nb OK Completed\r\n", "<noop>", false},
      {"NUL", std::string_view("a NO\0P\r\n", 8), "a BAD Invalid argument\r\n", "", false},
  };
  check(rows, plain_options());
}

TEST_CASE("imap session: after the login") {
  const script rows[] = {
      {"pipelined commands run in order", "a NOOP\r\nb LIST \"\" *\r\nc STATUS x (SIZE)\r\n",
       "a OK Completed\r\nb OK Completed\r\nc OK Completed\r\n", "<noop><list [] [*]><status [x] 64>"},
      {"spaces at the end of a line mean nothing", "a NOOP \r\nb LIST \"\" *  \r\nc STATUS {1+}\r\nx (SIZE) \r\nd STATUS \r\n",
       "a OK Completed\r\nb OK Completed\r\nc OK Completed\r\nd BAD Argument missing\r\n", "<noop><list [] [*]><status [x] 64>"},
      {"but those of a literal do", "a SELECT {2+}\r\nx \r\n", "* 3 EXISTS\r\na OK [READ-WRITE] Selected\r\n", "<select [x ]>"},
      {"RFC 9051 §6.4: a mailbox is needed", "a FETCH 1 FLAGS\r\n", "a BAD Select a mailbox first\r\n", ""},
      {"RFC 9051 §6.3.2", "a SELECT INBOX\r\nb FETCH 1 FLAGS\r\nc CLOSE\r\nd FETCH 1 FLAGS\r\n",
       "* 3 EXISTS\r\na OK [READ-WRITE] Selected\r\nb OK Completed\r\nc OK Closed\r\nd BAD Select a mailbox first\r\n",
       "<select [INBOX]><fetch 1 flags><close>"},
      {"RFC 9051 §7.1 CLOSED", "a SELECT INBOX\r\nb EXAMINE INBOX\r\n",
       "* 3 EXISTS\r\na OK [READ-WRITE] Selected\r\n* OK [CLOSED] The mailbox selected before is closed\r\n"
       "* 3 EXISTS\r\nb OK [READ-ONLY] Selected\r\n", "<select [INBOX]><examine [INBOX]>"},
      {"RFC 9051 §6.3.2: a failed SELECT leaves none selected", "a SELECT INBOX\r\nb SELECT nope\r\nc CHECK\r\n",
       "* 3 EXISTS\r\na OK [READ-WRITE] Selected\r\n* OK [CLOSED] The mailbox selected before is closed\r\n"
       "b NO [NONEXISTENT] No such mailbox\r\nc BAD Select a mailbox first\r\n", "<select [INBOX]><select [nope]>"},
      {"RFC 2177", "a IDLE\r\ndone\r\nb NOOP\r\n", "+ idling\r\na OK IDLE completed\r\nb OK Completed\r\n", "<idle><idle end><noop>"},
      {"RFC 2177: DONE only", "a IDLE\r\nb NOOP\r\nc NOOP\r\n", "+ idling\r\na BAD DONE expected\r\nc OK Completed\r\n", "<idle><noop>"},
      {"RFC 5161 §3.2", "a ENABLE IMAP4rev2 X-FOO\r\nb SELECT Q&A\r\n", "* ENABLED IMAP4rev2\r\na OK ENABLE completed\r\n"
       "* 3 EXISTS\r\nb OK [READ-WRITE] Selected\r\n", "<select [Q&A]>"},
      {"RFC 5161 §3.2: nothing new", "a ENABLE X\r\n", "* ENABLED\r\na OK ENABLE completed\r\n", ""},
      {"what is off is refused", "a STATUS x (HIGHESTMODSEQ)\r\nb SELECT x (CONDSTORE)\r\n", "a BAD Not offered\r\nb BAD Not offered\r\n", ""},
      {"unknown charset (RFC 9051 §6.4.4)", "a SELECT x\r\nb SEARCH CHARSET X-NO ALL\r\n",
       "* 3 EXISTS\r\na OK [READ-WRITE] Selected\r\nb NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset\r\n", "<select [x]>"},
  };
  check(rows, plain_options());
}

TEST_CASE("imap session: literals and APPEND") {
  const script rows[] = {
      {"RFC 9051 §6.3.12", "a APPEND x (\\Seen) {5}\r\nhello\r\nb NOOP\r\n",
       "+ Ready for literal data\r\na OK [APPENDUID 38505 3955] APPEND completed\r\nb OK Completed\r\n",
       "<append [x] 1 - 5><store 1 hello><noop>"},
      {"RFC 7888", "a APPEND x {5+}\r\nhello\r\n", "a OK [APPENDUID 38505 3955] APPEND completed\r\n", "<append [x] 0 - 5><store 1 hello>"},
      {"the mailbox as literal", "a APPEND {3}\r\na b {5+}\r\nhello\r\n",
       "+ Ready for literal data\r\na OK [APPENDUID 38505 3955] APPEND completed\r\n", "<append [a b] 0 - 5><store 1 hello>"},
      {"a message that looks like commands", "a APPEND x {12+}\r\nb LOGOUT\r\n\r\n\r\nc NOOP\r\n",
       "a OK [APPENDUID 38505 3955] APPEND completed\r\nc OK Completed\r\n", "<append [x] 0 - 12><store 1 b LOGOUT\r\n\r\n><noop>"},
      {"RFC 7889 §4: past the limit, not asked for", "a APPEND x {1001}\r\nb NOOP\r\n", "a NO [TOOBIG] Message too big\r\nb OK Completed\r\n", "<noop>"},
      {"4 GiB announced", "a APPEND x {4294967296}\r\nb NOOP\r\n", "a NO [TOOBIG] Message too big\r\nb OK Completed\r\n", "<noop>"},
      {"4 GiB sent unasked (RFC 7888 §4)", "a APPEND x {4294967296+}\r\nb NOOP\r\n", "* BYE [TOOBIG] Literal too big\r\n", ""},
      {"RFC 7888 §5", "a APPEND x {5000+}\r\n", "", ""},
      {"nothing as message", "a APPEND x {0}\r\nb NOOP\r\n", "a NO A message has at least one octet\r\nb OK Completed\r\n", "<noop>"},
      {"octets after the message", "a APPEND x {5+}\r\nhello x\r\nb NOOP\r\n", "a BAD Invalid argument\r\nb OK Completed\r\n",
       "<append [x] 0 - 5><drop><noop>"},
      {"one message only", "a APPEND x {5+}\r\nhello {2+}\r\nab\r\nb NOOP\r\n", "a BAD One message at a time\r\nb OK Completed\r\n",
       "<append [x] 0 - 5><drop><noop>"},
      {"one message only, asked", "a APPEND x {5+}\r\nhello {2}\r\nb NOOP\r\n", "a BAD One message at a time\r\nb OK Completed\r\n",
       "<append [x] 0 - 5><drop><noop>"},
      {"literal8 is off", "a APPEND x ~{5}\r\nb NOOP\r\n", "a BAD literal8 is not offered\r\nb OK Completed\r\n", "<noop>"},
      {"unknown command with literals", "a FROB {3+}\r\nx\r\n {2+}\r\nab\r\nb NOOP\r\n", "a BAD Unknown command\r\nb OK Completed\r\n", "<noop>"},
      {"unknown command, literal not asked for", "a FROB {3}\r\nb NOOP\r\n", "a BAD Unknown command\r\nb OK Completed\r\n", "<noop>"},
      {"refused, and a further literal waits", "a FROB {3+}\r\nabc {2}\r\nb NOOP\r\n", "a BAD Unknown command\r\nb OK Completed\r\n", "<noop>"},
      {"bad flag before the message", "a APPEND x (\\Foo) {5+}\r\nhello\r\nb NOOP\r\n", "a BAD Invalid flag\r\nb OK Completed\r\n", "<noop>"},
      {"no message", "a APPEND x\r\n", "a BAD Argument missing\r\n", ""},
      {"literal of another command too large", "a SELECT {1048577}\r\nb NOOP\r\n", "a BAD [TOOBIG] Literal too big\r\nb OK Completed\r\n", "<noop>"},
      {"brace at the end of a quoted string", "a SELECT \"x{5}\"\r\n", "* 3 EXISTS\r\na OK [READ-WRITE] Selected\r\n", "<select [x{5}]>"},
      {"empty literal", "a LIST {0+}\r\n {0+}\r\n\r\n", "a OK Completed\r\n", "<list [] []>"},
  };
  check(rows, plain_options());

  auto options = plain_options();
  options.offered.multiappend = true;
  const script several[] = {
      {"RFC 3502", "a APPEND x {5+}\r\nhello (\\Draft) {2+}\r\nab\r\n", "a OK [APPENDUID 38505 3955] APPEND completed\r\n",
       "<append [x] 0 - 5><append [x] 16 - 2 more><store 2 helloab>"},
      {"second one too large", "a APPEND x {5+}\r\nhello {1001}\r\nb NOOP\r\n", "a NO [TOOBIG] Message too big\r\nb OK Completed\r\n",
       "<append [x] 0 - 5><drop><noop>"},
  };
  check(several, options);
}

TEST_CASE("imap session: the driver refuses an APPEND") {
  const auto options = plain_options();
  for (const std::size_t portion : {0, 1, 3}) {
    CAPTURE(portion);
    player before(options);
    before.session.tls_started();
    before.refuse_append = true;
    before.play(login);
    before.transcript.clear();
    before.play("a APPEND x {5+}\r\nhello\r\nb APPEND x {5}\r\nc NOOP\r\n", portion);
    CHECK(before.transcript == "a NO [TRYCREATE] No such mailbox\r\nb NO [TRYCREATE] No such mailbox\r\nc OK Completed\r\n");

    player amid(options);
    amid.session.tls_started();
    amid.refuse_after = 2;
    amid.play(login);
    amid.transcript.clear();
    amid.play("a APPEND x {5+}\r\nhello\r\nb NOOP\r\n", portion);
    CHECK(amid.transcript == "a NO [OVERQUOTA] Disk full\r\nb OK Completed\r\n");
  }
}

TEST_CASE("imap session: STARTTLS") {
  const auto options = plain_options();
  player client(options);
  client.after_tls = true;
  client.play("");
  // RFC 9051 §11.1: what came along in the clear must not be executed.
  client.play("a STARTTLS\r\nb NOOP\r\nc LOGIN smith ");
  CHECK(client.log == "<tls>");
  CHECK(client.transcript.ends_with("a OK Begin TLS negotiation now\r\n"));
  client.play("sesame\r\nd LOGIN smith sesame\r\n");
  CHECK(client.log == "<tls><login [smith] [sesame]>");
}

TEST_CASE("imap session: IDLE brings news") {
  const auto options = plain_options();
  player client(options);
  client.session.tls_started();
  client.play(login + "a SELECT INBOX\r\nb IDLE\r\n");
  CHECK(client.idling);
  CHECK(client.session.is_idling());
  client.transcript.clear();
  client.session.output().exists(4);
  client.run();
  CHECK(client.transcript == "* 4 EXISTS\r\n");
  CHECK(client.idling);
  client.play("DONE\r\n");
  CHECK(client.transcript == "* 4 EXISTS\r\nb OK IDLE completed\r\n");
  CHECK(client.session.state() == imap::session_state::selected);
}

TEST_CASE("imap session: limits end it") {
  const auto options = plain_options();
  player bad(options);
  for (std::size_t i = 0; i < options.bad_commands; ++i) bad.play("a FROB\r\n");
  CHECK(bad.closed);
  CHECK(bad.reason == imap::close_reason::too_many_bad_commands);
  CHECK(bad.transcript.ends_with("* BYE Too many bad commands\r\n"));

  player guess(options);
  guess.session.tls_started();
  for (std::size_t i = 0; i < options.auth_failures; ++i) guess.play("a LOGIN smith guess\r\n");
  CHECK(guess.closed);
  CHECK(guess.reason == imap::close_reason::too_many_auth_failures);

  player aborted(options);
  aborted.play("a NO");
  aborted.session.abort(imap::codes::unavailable, "Shutting down");
  aborted.run();
  CHECK(aborted.closed);
  CHECK(aborted.transcript.ends_with("* BYE [UNAVAILABLE] Shutting down\r\n"));
}

TEST_CASE("imap session: floods are dropped in bounded memory") {
  const auto options = plain_options();
  for (const std::size_t portion : {std::size_t{16384}, std::size_t{1000}}) {
    player line(options);
    line.session.tls_started();
    line.play("");
    line.transcript.clear();
    const std::string many(8 * limits::imap_command_line, 'x');
    line.play("a NOOP " + many + "\r\nb NOOP\r\n", portion);
    CHECK(line.transcript == "a BAD Command line too long\r\nb OK Completed\r\n");

    player auth(options);
    auth.session.tls_started();
    auth.play("a AUTHENTICATE PLAIN\r\n");
    auth.transcript.clear();
    auth.play(many + "\r\nb NOOP\r\n", portion);
    CHECK(auth.transcript == "a BAD Response too long\r\nb OK Completed\r\n");
    CHECK(auth.log == "<auth PLAIN first -><cancelled><noop>");

    player literals(options);
    literals.session.tls_started();
    literals.play("");
    literals.transcript.clear();
    std::string sent = "a LOGIN";
    for (int i = 0; i < 10; ++i) sent += " {4000+}\r\n" + std::string(4000, 'y');
    literals.play(sent + "\r\nb NOOP\r\n", portion);
    CHECK(literals.transcript == "a BAD [TOOBIG] Literal too big\r\nb OK Completed\r\n");
  }
}

TEST_CASE("imap session: CATENATE, REPLACE, COMPRESS and UNAUTHENTICATE") {
  auto options = plain_options();
  auto& offered = options.offered;
  offered.multiappend = offered.catenate = offered.replace = offered.compress = offered.unauthenticate = true;
  offered.utf8_accept = offered.uid_only = offered.condstore = offered.qresync = true;
  const std::string_view stored = "a OK [APPENDUID 38505 3955] APPEND completed\r\n";
  const script rows[] = {
      {"RFC 4469: URLs alone", "a APPEND x CATENATE (URL one URL \"two\")\r\n", stored,
       "<append [x] 0 - 0 catenated><url one><url two><store 1 [one][two]>"},
      {"RFC 4469: all kinds", "a APPEND x CATENATE (URL one TEXT {3+}\r\nabc URL {3+}\r\ntwo TEXT {1+}\r\nd)\r\n", stored,
       "<append [x] 0 - 0 catenated><url one><url two><store 1 [one]abc[two]d>"},
      {"RFC 4469 and 3502", "a APPEND x CATENATE (TEXT {1+}\r\nd) (\\Seen) {2+}\r\nef\r\n", stored,
       "<append [x] 0 - 0 catenated><append [x] 1 - 2 more><store 2 def>"},
      {"RFC 4469: a text of nothing", "a APPEND x CATENATE (TEXT {0+}\r\n URL one)\r\n", stored,
       "<append [x] 0 - 0 catenated><url one><store 1 [one]>"},
      {"RFC 4469 §4.1: what was sent along is dropped", "a APPEND x CATENATE (URL bad TEXT {3+}\r\nabc)\r\nb NOOP\r\n",
       "a NO [BADURL bad] No such part\r\nb OK Completed\r\n", "<append [x] 0 - 0 catenated><url bad><noop>"},
      {"RFC 4469: no text", "a APPEND x CATENATE (TEXT abc)\r\n", "a BAD Invalid argument\r\n", ""},
      {"RFC 4469: cut", "a APPEND x CATENATE (URL one\r\n", "a BAD Argument missing\r\n", ""},
      {"RFC 4469: a text too large", "a APPEND x CATENATE (TEXT {1001}\r\nb NOOP\r\n", "a NO [TOOBIG] Message too big\r\nb OK Completed\r\n",
       "<noop>"},
      {"RFC 6855 §4", "a APPEND x UTF8 (~{2+}\r\nab)\r\n", stored, "<append [x] 0 - 2><store 1 ab>"},
      {"RFC 8508", "s SELECT INBOX\r\na REPLACE 4 x (\\Draft) {2+}\r\nab\r\n",
       "* 3 EXISTS\r\ns OK [READ-WRITE] Selected\r\na OK [APPENDUID 38505 3955] APPEND completed\r\n",
       "<select [INBOX]><append [x] 16 - 2 replaces 4><store 1 ab>"},
      {"RFC 8508: one message", "s SELECT INBOX\r\na UID REPLACE * x {2+}\r\nab {1+}\r\nc\r\n",
       "* 3 EXISTS\r\ns OK [READ-WRITE] Selected\r\na BAD One message at a time\r\n",
       "<select [INBOX]><append [x] 0 - 2 replaces uid *><drop>"},
      {"RFC 8508: selected only", "a REPLACE 4 x {2}\r\n", "a BAD Select a mailbox first\r\n", ""},
      {"RFC 4978", "a COMPRESS DEFLATE\r\nb NOOP\r\n", "a OK DEFLATE active\r\n", "<compression>"},
      {"RFC 4978: another", "a COMPRESS LZW\r\nb NOOP\r\n", "a NO [CANNOT] Unknown algorithm\r\nb OK Completed\r\n", "<noop>"},
      {"RFC 8437", "e ENABLE QRESYNC UTF8=ACCEPT\r\na UNAUTHENTICATE\r\nb NOOP\r\nc SELECT x\r\n",
       "* ENABLED QRESYNC UTF8=ACCEPT\r\ne OK ENABLE completed\r\na OK Completed\r\nb OK Completed\r\nc BAD Log in first\r\n",
       "<unauthenticate><noop>"},
      {"RFC 6855 §3: no charset after UTF8=ACCEPT",
       "e ENABLE UTF8=ACCEPT\r\ns SELECT x\r\na SEARCH CHARSET UTF-8 ALL\r\nb SEARCH ALL\r\n",
       "* ENABLED UTF8=ACCEPT\r\ne OK ENABLE completed\r\n* 3 EXISTS\r\ns OK [READ-WRITE] Selected\r\na BAD Unknown option\r\n"
       "b OK Completed\r\n", "<select [x]><search and(all)>"},
      {"RFC 9051 §6.4.4: but after IMAP4rev2", "e ENABLE IMAP4rev2\r\ns SELECT x\r\na SEARCH CHARSET UTF-8 ALL\r\n",
       "* ENABLED IMAP4rev2\r\ne OK ENABLE completed\r\n* 3 EXISTS\r\ns OK [READ-WRITE] Selected\r\na OK Completed\r\n",
       "<select [x]><search and(all)>"},
      {"RFC 5161 §3.2: all that is asked for, in whatever order", "a ENABLE QRESYNC CONDSTORE\r\nb ENABLE CONDSTORE QRESYNC\r\n",
       "* ENABLED QRESYNC CONDSTORE\r\na OK ENABLE completed\r\n* ENABLED\r\nb OK ENABLE completed\r\n", ""},
      {"RFC 7162 §3.2.5: before ENABLE", "a SELECT x (QRESYNC (1 2))\r\n", "a BAD QRESYNC is not enabled\r\n", ""},
      {"RFC 9586", "e ENABLE UIDONLY\r\ns SELECT INBOX\r\na FETCH 1 FLAGS\r\n",
       "* ENABLED UIDONLY\r\ne OK ENABLE completed\r\n* 3 EXISTS\r\ns OK [READ-WRITE] Selected\r\na BAD [UIDREQUIRED] Only UIDs are used here\r\n",
       "<select [INBOX]>"},
  };
  for (const auto& row : rows) {
    if (std::string_view(row.why) != "RFC 4978") continue;
    // What comes behind COMPRESS in the same octets is thrown away; cut elsewhere it would be a command.
    player client(options);
    client.session.tls_started();
    client.play(login);
    client.transcript.clear();
    client.log.clear();
    client.play(row.in);
    CHECK(client.transcript == row.out);
    CHECK(client.log == row.log);
    CHECK(client.session.is_compressed());
    client.transcript.clear();
    client.play("c COMPRESS DEFLATE\r\n");
    CHECK(client.transcript == "c NO [COMPRESSIONACTIVE] Compression is active already\r\n");
  }
  std::vector<script> others;
  for (const auto& row : rows)
    if (std::string_view(row.why) != "RFC 4978") others.push_back(row);
  check(others, options);
}

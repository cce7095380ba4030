#include <doctest/doctest.h>

#include "protocol/smtp_script.hpp"

using namespace smtp_script;

namespace {

const std::string greeting = "220 mx.example ESMTP ready\r\n";

// Lines of output behind the greeting as "code enhanced-code" words: rows stay readable.
std::string codes(std::string_view output) {
  std::string out;
  while (!output.empty()) {
    const auto line = output.substr(0, output.find("\r\n"));
    output.remove_prefix(std::min(output.size(), line.size() + 2));
    if (line.size() > 3 && line[3] == '-') continue;
    out += line.substr(0, 3);
    std::size_t length = 0;
    if (line.size() > 4 && smtp::enhanced_code::parse_prefix(line.substr(4), length))
      out += "/" + std::string(line.substr(4, length));
    out += ' ';
  }
  return out.substr(0, out.empty() ? 0 : out.size() - 1);
}

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("an ordinary transaction, word for word") {
  const auto got = run(plain_mx(), {"EHLO client.example\r\n"
                                    "MAIL FROM:<a@x.example>\r\n"
                                    "RCPT TO:<b@y.example>\r\n"
                                    "DATA\r\n"
                                    "Subject: x\r\n\r\n..dot\r\n.\r\n"
                                    "QUIT\r\n"});
  CHECK(got.output == greeting +
                          "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
                          "250-DSN\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
                          "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n"
                          "354 End data with <CRLF>.<CRLF>\r\n250 2.6.0 Message accepted\r\n221 2.0.0 Bye\r\n");
  CHECK(got.events == "connect hello:client.example mail:a@x.example rcpt:b@y.example start end:20 ");
  CHECK(got.messages == std::vector<std::string>{"Subject: x\r\n\r\n.dot\r\n"});
  CHECK(got.end == "quit");
}

TEST_CASE("dialogues") {
  struct row {
    const char* why;
    std::string in;
    std::string codes;   // behind the greeting and the answer to EHLO
    std::string events;  // behind connect and hello
    std::string end;
  };
  const std::string mail = "MAIL FROM:<a@x.example>\r\n";
  const std::string rcpt = "RCPT TO:<b@y.example>\r\n";
  const std::string ok3 = "250/2.1.0 250/2.1.5 354";
  const std::string ev = "mail:a@x.example rcpt:b@y.example start ";
  const row rows[] = {
      {"RFC 5321 §4.1.4 RCPT before MAIL", rcpt, "503/5.5.1", "", "open"},
      {"RFC 5321 §4.1.4 DATA before MAIL", "DATA\r\n", "503/5.5.1", "", "open"},
      {"RFC 5321 §4.1.4 MAIL in a transaction", mail + mail, "250/2.1.0 503/5.5.1", "mail:a@x.example ", "open"},
      {"RFC 5321 §3.3 DATA without recipients", mail + "DATA\r\n", "250/2.1.0 554/5.5.1", "mail:a@x.example ", "open"},
      {"RFC 5321 §4.1.1.5 RSET ends the transaction", mail + rcpt + "RSET\r\nDATA\r\n",
       "250/2.1.0 250/2.1.5 250/2.0.0 503/5.5.1", "mail:a@x.example rcpt:b@y.example reset ", "open"},
      {"RFC 5321 §4.1.4 EHLO ends the transaction", mail + "EHLO y\r\nDATA\r\n", "250/2.1.0 250 503/5.5.1",
       "mail:a@x.example hello:y reset ", "open"},
      {"RSET, NOOP, HELP, VRFY, EXPN", "RSET\r\nNOOP x\r\nHELP\r\nVRFY a\r\nEXPN l\r\n",
       "250/2.0.0 250/2.0.0 214/2.0.0 252/2.5.0 502/5.5.1", "verify:a ", "open"},
      {"unknown command", "XYZ\r\n\r\n", "500/5.5.1 500/5.5.1", "", "open"},
      {"two messages", mail + rcpt + "DATA\r\na\r\n.\r\n" + mail + rcpt + "DATA\r\nb\r\n.\r\n",
       ok3 + " 250/2.6.0 " + ok3 + " 250/2.6.0", ev + "end:3 " + ev + "end:3 ", "open"},
      {"RFC 5321 §2.3.8 bare LF in a command", "NOOP\nNOOP\r\nNOOP\r\n", "500/5.5.2 250/2.0.0", "", "open"},
      {"RFC 5321 §2.3.8 bare CR in a command", "NOOP\rNOOP\r\nNOOP\r\n", "500/5.5.2 250/2.0.0", "", "open"},
      {"RFC 5321 §2.3.8 bare LF in a message",
       mail + rcpt + "DATA\r\na\n.\r\nMAIL FROM:<evil@x>\r\n.\r\nNOOP\r\n", ok3 + " 550/5.6.0 250/2.0.0",
       ev + "drop reset ", "open"},
      {"RFC 5321 §2.3.8 bare CR in a message", mail + rcpt + "DATA\r\na\rb\r\n.\r\nNOOP\r\n",
       ok3 + " 550/5.6.0 250/2.0.0", ev + "drop reset ", "open"},
      {"RFC 5321 §4.5.3.1.9 line too long", "NOOP " + std::string(3000, 'x') + "\r\nNOOP\r\n", "500/5.5.2 250/2.0.0",
       "", "open"},
      {"a line too long with a bare LF in it", "NOOP " + std::string(3000, 'x') + "\nRSET\r\nNOOP\r\n",
       "500/5.5.2 250/2.0.0", "", "open"},
      {"RFC 1870 §6.1 declared size", "MAIL FROM:<> SIZE=1001\r\n" + rcpt, "552/5.3.4 503/5.5.1", "", "open"},
      {"RFC 1870 §6.3 real size; reading goes on to the dot",
       mail + rcpt + "DATA\r\n" + repeat("0123456789\r\n", 200) + ".\r\nNOOP\r\n", ok3 + " 552/5.3.4 250/2.0.0",
       ev + "drop reset ", "open"},
      {"a message of the limit's size", mail + rcpt + "DATA\r\n" + repeat("01234567\r\n", 100) + ".\r\n",
       ok3 + " 250/2.6.0", ev + "end:1000 ", "open"},
      {"RFC 5321 §4.5.3.1.10 too many recipients", mail + rcpt + rcpt + rcpt + "DATA\r\n.\r\n",
       "250/2.1.0 250/2.1.5 250/2.1.5 452/4.5.3 354 250/2.6.0",
       "mail:a@x.example rcpt:b@y.example rcpt:b@y.example start end:0 ", "open"},
      {"RFC 6531 §3.5 recipient needs SMTPUTF8", mail + "RCPT TO:<\xc3\xa9@y.example>\r\n", "250/2.1.0 553/5.6.7",
       "mail:a@x.example ", "open"},
      {"RFC 6531 with it", "MAIL FROM:<> SMTPUTF8\r\nRCPT TO:<\xc3\xa9@y.example>\r\n", "250/2.1.0 250/2.1.5",
       "mail: rcpt:\xc3\xa9@y.example ", "open"},
      {"RFC 8689 §2 outside TLS", "MAIL FROM:<> REQUIRETLS\r\n", "555/5.5.4", "", "open"},
      {"STARTTLS that is not offered", "STARTTLS\r\n", "502/5.5.1", "", "open"},
      {"AUTH that is not offered", "AUTH PLAIN\r\n", "502/5.5.1", "", "open"},
      {"RFC 5321 §4.3.2 too many bad commands", repeat("X\r\n", 12),
       repeat("500/5.5.1 ", 9) + "421/4.7.0", "", "too_many_errors"},
      {"what follows QUIT is not read", "QUIT\r\nNOOP\r\n", "221/2.0.0", "", "quit"},

      {"RFC 3030 §2 BDAT", mail + rcpt + "BDAT 3\r\na\r\nBDAT 4 LAST\r\n.b\r\nNOOP\r\n",
       "250/2.1.0 250/2.1.5 250/2.0.0 250/2.6.0 250/2.0.0", ev + "end:7 ", "open"},
      {"RFC 3030 §2 BDAT 0 LAST", mail + rcpt + "BDAT 3\r\na\r\nBDAT 0 LAST\r\n",
       "250/2.1.0 250/2.1.5 250/2.0.0 250/2.6.0", ev + "end:3 ", "open"},
      {"only BDAT 0 LAST", mail + rcpt + "BDAT 0 LAST\r\n", "250/2.1.0 250/2.1.5 250/2.6.0", ev + "end:0 ", "open"},
      {"RFC 3030 §2 DATA behind BDAT", mail + rcpt + "BDAT 3\r\na\r\nDATA\r\nRSET\r\n",
       "250/2.1.0 250/2.1.5 250/2.0.0 503/5.5.1 250/2.0.0", ev + "drop reset ", "open"},
      {"RCPT behind BDAT", mail + rcpt + "BDAT 3\r\na\r\n" + rcpt, "250/2.1.0 250/2.1.5 250/2.0.0 503/5.5.1", ev, "open"},
      {"RFC 3030 §2 a refused chunk is read and dropped", "BDAT 6\r\nQUIT\r\nNOOP\r\n", "503/5.5.1 250/2.0.0", "", "open"},
      {"no recipient: chunks are dropped", mail + "BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
       "250/2.1.0 554/5.5.1 503/5.5.1 250/2.0.0", "mail:a@x.example reset ", "open"},
      {"RFC 3030 §3 BINARYMIME by DATA", "MAIL FROM:<> BODY=BINARYMIME\r\n" + rcpt + "DATA\r\n",
       "250/2.1.0 250/2.1.5 503/5.5.1", "mail: rcpt:b@y.example ", "open"},
      {"RFC 3030 §3 BINARYMIME by BDAT", "MAIL FROM:<> BODY=BINARYMIME\r\n" + rcpt + "BDAT 5 LAST\r\n\n.\r.\n",
       "250/2.1.0 250/2.1.5 250/2.6.0", "mail: rcpt:b@y.example start end:5 ", "open"},
      {"RFC 3030 §2 text by BDAT has CRLF", mail + rcpt + "BDAT 3\r\na\nbBDAT 3 LAST\r\nc\r\nNOOP\r\n",
       "250/2.1.0 250/2.1.5 550/5.6.0 503/5.5.1 250/2.0.0", ev + "drop reset ", "open"},
      {"text by BDAT ends in a bare CR", mail + rcpt + "BDAT 2 LAST\r\na\rNOOP\r\n",
       "250/2.1.0 250/2.1.5 550/5.6.0 250/2.0.0", ev + "drop reset ", "open"},
      {"a chunk over the limit", mail + rcpt + "BDAT 1001 LAST\r\n" + std::string(1001, 'x') + "NOOP\r\n",
       "250/2.1.0 250/2.1.5 552/5.3.4 250/2.0.0", "mail:a@x.example rcpt:b@y.example reset ", "open"},
      {"chunks over the limit together",
       mail + rcpt + "BDAT 600\r\n" + std::string(600, 'x') + "BDAT 600 LAST\r\n" + std::string(600, 'x') + "NOOP\r\n",
       "250/2.1.0 250/2.1.5 250/2.0.0 552/5.3.4 250/2.0.0", ev + "drop reset ", "open"},
      {"a chunk of unknown size cannot be followed", mail + rcpt + "BDAT x\r\nNOOP\r\n",
       "250/2.1.0 250/2.1.5 501/5.5.4", "mail:a@x.example rcpt:b@y.example ", "out_of_step"},
      {"a chunk as large as can be said", mail + rcpt + "BDAT 18446744073709551615\r\nQUIT\r\n", "250/2.1.0 250/2.1.5",
       "mail:a@x.example rcpt:b@y.example ", "open"},
  };
  auto options = plain_mx();
  options.message_size = 1000;
  options.recipients = 2;
  options.bad_commands = 10;
  for (const auto& row : rows) {
    INFO(std::string(row.why));
    const auto got = run(options, {"EHLO c\r\n" + row.in});
    CHECK(codes(got.output) == "220 250" + (row.codes.empty() ? "" : " " + row.codes));
    CHECK(got.events == "connect hello:c " + row.events);
    CHECK(got.end == row.end);
  }
}

TEST_CASE("before EHLO") {
  CHECK(codes(run(plain_mx(), {"MAIL FROM:<>\r\nRSET\r\nNOOP\r\nHELO c\r\nMAIL FROM:<>\r\n"}).output) ==
        "220 503/5.5.1 250/2.0.0 250/2.0.0 250 250/2.1.0");
  CHECK(codes(run(plain_mx(), {"LHLO c\r\n"}).output) == "220 500/5.5.1");
}

TEST_CASE("TLS is required before mail") {
  auto options = plain_mx();
  options.require_tls = options.offer_starttls = true;
  options.mechanisms = {"PLAIN"};
  options.offered.requiretls = true;
  options.offered.limits = true;
  const auto got = run(options, {"EHLO c\r\nNOOP\r\nMAIL FROM:<>\r\nHELO c\r\nRSET\r\nAUTH PLAIN AGEAYg==\r\nBDAT 4\r\nQUITSTARTTLS\r\n"
                                 // RFC 3207 §4.2: nothing of this may be heard, whatever it would do.
                                 "EHLO evil\r\nMAIL FROM:<evil@x.example>\r\nRCPT TO:<b@y.example>\r\n",
                                 "MAIL FROM:<>\r\nSTARTTLS\r\nEHLO c2\r\nMAIL FROM:<> REQUIRETLS\r\nQUIT\r\n"});
  CHECK(codes(got.output) ==
        "220 250 250/2.0.0 530/5.7.0 530/5.7.0 530/5.7.0 538/5.7.11 530/5.7.0 220/2.0.0 503/5.5.1 503/5.5.1 250 250/2.1.0 221/2.0.0");
  CHECK(got.events == "connect hello:c tls hello:c2 mail: ");
  const auto first = got.output.find("250-STARTTLS");
  CHECK(first != std::string::npos);
  CHECK(got.output.find("250-STARTTLS", first + 1) == std::string::npos);
  CHECK(got.output.find("250-AUTH PLAIN\r\n") > got.output.find("220 2.0.0"));
  CHECK(got.output.find("250-REQUIRETLS\r\n") > got.output.find("220 2.0.0"));
  CHECK(got.output.find("250-LIMITS RCPTMAX=1000 MAILMAX=10000\r\n") != std::string::npos);
}

TEST_CASE("RFC 3207 §4.2: TLS ends the transaction and the knowledge of the client") {
  auto options = plain_mx();
  options.offer_starttls = true;
  const auto got = run(options, {"EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nSTARTTLS\r\n",
                                 "DATA\r\nMAIL FROM:<>\r\nNOOP\r\n"});
  CHECK(codes(got.output) == "220 250 250/2.1.0 250/2.1.5 220/2.0.0 503/5.5.1 503/5.5.1 250/2.0.0");
  CHECK(got.events == "connect hello:c mail:a@x.example rcpt:b@y.example tls reset ");
}

TEST_CASE("a handshake that failed leaves nothing but close") {
  auto options = plain_mx();
  options.offer_starttls = true;
  smtp::server_session session(options);
  session.next();
  session.accept();
  session.feed("STARTTLS\r\nNOOP\r\n");
  CHECK(std::holds_alternative<smtp::write>(session.next()));
  CHECK(std::holds_alternative<smtp::start_tls>(session.next()));
  session.feed("NOOP\r\n");
  CHECK(std::holds_alternative<smtp::close>(session.next()));
  CHECK(std::holds_alternative<smtp::close>(session.next()));
}

TEST_CASE("AUTH") {
  auto options = plain_mx();
  options.role = smtp::server_role::submission;
  options.auth_without_tls = true;
  options.require_auth = true;
  options.mechanisms = {"SCRAM-SHA-256", "PLAIN"};
  options.bad_commands = 100;
  // A mechanism that wants "yes" after one challenge; SCRAM has something to say at the end.
  const handler decide = [](smtp::server_session& session, const smtp::question& about) {
    const auto* q = std::get_if<smtp::auth_question>(&about);
    if (q == nullptr) return false;
    if (!q->response) session.answer(smtp::auth_challenge{"hello"});
    else if (*q->response == "busy") session.answer(smtp::replies::auth_unavailable);
    else if (*q->response != "yes") session.answer(smtp::replies::auth_failed);
    else session.answer(smtp::auth_success{q->mechanism == "PLAIN" ? "" : "v=x"});
    return true;
  };
  struct row {
    const char* why;
    std::string in;
    std::string codes;
    std::string events;
    std::string end = "open";
  };
  // "eWVz" is yes, "bm8=" is no, "YnVzeQ==" is busy, "aGVsbG8=" is hello, "dj14" is v=x.
  const row rows[] = {
      {"RFC 4954 §4 initial response", "AUTH PLAIN eWVz\r\nMAIL FROM:<>\r\n", "235/2.7.0 250/2.1.0", "auth:PLAIN:'yes' mail: "},
      {"RFC 4954 §6 mail before AUTH", "MAIL FROM:<>\r\n", "530/5.7.0", ""},
      {"challenge and response", "AUTH PLAIN\r\neWVz\r\n", "334 235/2.7.0", "auth:PLAIN:none more:PLAIN:'yes' "},
      {"mechanism in lower case", "auth plain eWVz\r\n", "235/2.7.0", "auth:PLAIN:'yes' "},
      {"RFC 4954 §4 empty initial response", "AUTH PLAIN =\r\n", "535/5.7.8", "auth:PLAIN:'' "},
      {"empty response", "AUTH PLAIN\r\n\r\n", "334 535/5.7.8", "auth:PLAIN:none more:PLAIN:'' "},
      {"RFC 4954 §4 cancelled", "AUTH PLAIN\r\n*\r\nNOOP\r\n", "334 501/5.7.0 250/2.0.0", "auth:PLAIN:none "},
      {"RFC 4954 §4 not base64", "AUTH PLAIN\r\n!!\r\nNOOP\r\n", "334 501/5.5.2 250/2.0.0", "auth:PLAIN:none "},
      {"initial response is not base64", "AUTH PLAIN e\r\nNOOP\r\n", "501/5.5.2 250/2.0.0", ""},
      {"RFC 4954 §4 unknown mechanism", "AUTH NTLM\r\n", "504/5.5.4", ""},
      {"RFC 4954 §4 twice", "AUTH PLAIN eWVz\r\nAUTH PLAIN eWVz\r\n", "235/2.7.0 503/5.5.1", "auth:PLAIN:'yes' "},
      {"RFC 4954 §4 within a transaction",
       "AUTH PLAIN eWVz\r\nMAIL FROM:<>\r\nAUTH PLAIN eWVz\r\n", "235/2.7.0 250/2.1.0 503/5.5.1", "auth:PLAIN:'yes' mail: "},
      {"RFC 4954 §4 additional data with success", "AUTH SCRAM-SHA-256 eWVz\r\n\r\n", "334 235/2.7.0",
       "auth:SCRAM-SHA-256:'yes' "},
      {"additional data is answered by nothing", "AUTH SCRAM-SHA-256 eWVz\r\neWVz\r\n", "334 535/5.7.8",
       "auth:SCRAM-SHA-256:'yes' "},
      {"RFC 4954 §4 line too long", "AUTH PLAIN\r\n" + std::string(13000, 'A') + "\r\nNOOP\r\n", "334 500/5.5.6 250/2.0.0",
       "auth:PLAIN:none "},
      {"RFC 4954 §4 a long AUTH command is fine", "AUTH PLAIN " + std::string(8000, 'A') + "\r\n", "535/5.7.8",
       "auth:PLAIN:'" + std::string(6000, '\0') + "' "},
      {"bare LF in an exchange", "AUTH PLAIN\r\neWVz\nx\r\nNOOP\r\n", "334 500/5.5.2 250/2.0.0", "auth:PLAIN:none "},
      {"temporary failures do not count", repeat("AUTH PLAIN YnVzeQ==\r\n", 4),
       "454/4.7.0 454/4.7.0 454/4.7.0 454/4.7.0", repeat("auth:PLAIN:'busy' ", 4)},
      {"failures are counted", repeat("AUTH PLAIN bm8=\r\n", 9),
       "535/5.7.8 535/5.7.8 535/5.7.8 535/5.7.8 421/4.7.0", repeat("auth:PLAIN:'no' ", 5), "too_many_errors"},
  };
  for (const auto& row : rows) {
    INFO(std::string(row.why));
    const auto got = run(options, {"EHLO c\r\n" + row.in}, decide);
    CHECK(codes(got.output) == "220 250 " + row.codes);
    CHECK(got.events == "connect hello:c " + row.events);
    CHECK(got.end == row.end);
  }
  CHECK(run(options, {"EHLO c\r\nAUTH SCRAM-SHA-256\r\n"}, decide).output.ends_with("334 aGVsbG8=\r\n"));
  CHECK(run(options, {"EHLO c\r\nAUTH SCRAM-SHA-256 eWVz\r\n"}, decide).output.ends_with("334 dj14\r\n"));
  CHECK(codes(run(options, {"AUTH PLAIN eWVz\r\n"}, decide).output) == "220 503/5.5.1");
}

TEST_CASE("the handler's answers") {
  const auto refuse = [](auto question_type, const smtp::reply& named) -> handler {
    return [named](smtp::server_session& session, const smtp::question& about) {
      if (!std::holds_alternative<decltype(question_type)>(about)) return false;
      session.answer(named);
      return true;
    };
  };
  const std::string all = "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n.\r\nQUIT\r\n";
  struct row {
    const char* why;
    handler decide;
    std::string in;
    std::string codes;
    std::string end;
  };
  const row rows[] = {
      {"RFC 5321 §3.1 refused at once: only QUIT", refuse(smtp::connect_question(), smtp::replies::no_service),
       "EHLO c\r\nMAIL FROM:<>\r\nBDAT 3\r\nabcQUIT\r\n", "554/5.3.2 503/5.5.1 503/5.5.1 503/5.5.1 221/2.0.0", "quit"},
      {"RFC 5321 §3.8 421 closes", refuse(smtp::connect_question(), smtp::replies::shutting_down), all, "421/4.3.2", "refused"},
      {"HELO refused", refuse(smtp::hello_question(), smtp::replies::relay_denied), all,
       "220 550/5.7.1 503/5.5.1 503/5.5.1 503/5.5.1 500/5.5.1 221/2.0.0", "quit"},
      {"sender refused; what was pipelined falls through", refuse(smtp::mail_question(), smtp::replies::relay_denied), all,
       "220 250 550/5.7.1 503/5.5.1 503/5.5.1 500/5.5.1 221/2.0.0", "quit"},
      {"recipient refused", refuse(smtp::rcpt_question(), smtp::replies::no_such_user), all,
       "220 250 250/2.1.0 550/5.1.1 554/5.5.1 500/5.5.1 221/2.0.0", "quit"},
      {"421 at RCPT closes", refuse(smtp::rcpt_question(), smtp::replies::shutting_down), all,
       "220 250 250/2.1.0 421/4.3.2", "refused"},
      {"message refused before its first octet", refuse(smtp::message_start_question(), smtp::replies::no_space), all,
       "220 250 250/2.1.0 250/2.1.5 452/4.3.1 500/5.5.1 221/2.0.0", "quit"},
      {"chunked message refused before its first octet", refuse(smtp::message_start_question(), smtp::replies::no_space),
       "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nQUIT\r\n",
       "220 250 250/2.1.0 250/2.1.5 452/4.3.1 503/5.5.1 221/2.0.0", "quit"},
      {"message refused at its end", refuse(smtp::message_end_question(), smtp::replies::local_error), all,
       "220 250 250/2.1.0 250/2.1.5 354 451/4.3.0 221/2.0.0", "quit"},
  };
  for (const auto& row : rows) {
    INFO(std::string(row.why));
    const auto got = run(plain_mx(), {row.in}, row.decide);
    CHECK(codes(got.output) == row.codes);
    CHECK(got.end == row.end);
  }
}

TEST_CASE("a sink that fails refuses the message at its end") {
  for (const char* by : {"DATA\r\nabc\r\ndef\r\n.\r\n", "BDAT 10 LAST\r\nabc\r\ndef\r\n"}) {
    const auto options = plain_mx();
    smtp::server_session tested(options);
    std::string output;
    const std::string input = std::string("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n") + by + "NOOP\r\n";
    bool fed = false;
    bool ended = false;
    for (;;) {
      auto step = tested.next();
      if (auto* out = std::get_if<smtp::write>(&step)) output += out->bytes;
      else if (std::holds_alternative<smtp::message_data>(step)) tested.refuse_message(smtp::replies::no_space);
      else if (auto* q = std::get_if<smtp::ask>(&step)) {
        ended = ended || std::holds_alternative<smtp::message_end_question>(q->question);
        tested.accept();
      } else if (std::holds_alternative<smtp::need_bytes>(step)) {
        if (std::exchange(fed, true)) break;
        tested.feed(input);
      }
    }
    CHECK(!ended);
    CHECK(codes(output).ends_with("452/4.3.1 250/2.0.0"));
  }
}

TEST_CASE("RFC 2920 §3.2: replies to pipelined commands leave together") {
  const auto options = plain_mx();
  const std::string in = "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n";
  const auto got = server_run(options, {})({{in, "x\r\n.\r\nMAIL FROM:<>\r\nQUIT\r\n"}});
  CHECK(codes(got.output) == "220 250 250/2.1.0 250/2.1.5 250/2.1.5 354 250/2.6.0 250/2.1.0 221/2.0.0");
  CHECK(got.writes == 3);  // the greeting, up to 354, the rest
}

TEST_CASE("RFC 2033: LMTP") {
  auto options = plain_mx();
  options.role = smtp::server_role::lmtp;
  const std::string start = "LHLO c\r\nMAIL FROM:<>\r\n";
  const std::string two = "RCPT TO:<a@b.example>\r\nRCPT TO:<no@b.example>\r\nRCPT TO:<c@b.example>\r\n";
  const handler decide = [](smtp::server_session& session, const smtp::question& about) {
    if (const auto* q = std::get_if<smtp::rcpt_question>(&about); q != nullptr && q->rcpt.to.local_part == "no") {
      session.answer(smtp::replies::no_such_user);
      return true;
    }
    if (std::holds_alternative<smtp::message_end_question>(about)) {
      const smtp::reply each[] = {smtp::replies::queued, smtp::replies::mailbox_full};
      session.answer(each);
      return true;
    }
    return false;
  };
  CHECK(codes(run(options, {"EHLO c\r\nHELO c\r\n"}).output) == "220 500/5.5.1 500/5.5.1");
  CHECK(run(options, {"LHLO c\r\n"}).output.starts_with("220 mx.example LMTP ready\r\n"));
  CHECK(codes(run(options, {start + two + "DATA\r\nx\r\n.\r\nNOOP\r\n"}, decide).output) ==
        "220 250 250/2.1.0 250/2.1.5 550/5.1.1 250/2.1.5 354 250/2.6.0 452/4.2.2 250/2.0.0");
  CHECK(codes(run(options, {start + two + "BDAT 1\r\nxBDAT 0 LAST\r\nNOOP\r\n"}, decide).output) ==
        "220 250 250/2.1.0 250/2.1.5 550/5.1.1 250/2.1.5 250/2.0.0 250/2.6.0 452/4.2.2 250/2.0.0");
  // One answer serves for all; a refusal of the session too.
  CHECK(codes(run(options, {start + two + "DATA\r\nx\r\n.\r\n"}).output).ends_with("354 250/2.6.0 250/2.6.0 250/2.6.0"));
  CHECK(codes(run(options, {start + two + "DATA\r\nx\n.\r\n.\r\n"}).output).ends_with("354 550/5.6.0 550/5.6.0 550/5.6.0"));
  // RFC 2033 §4.2: DATA without a recipient is a 503.
  CHECK(codes(run(options, {start + "DATA\r\n"}).output) == "220 250 250/2.1.0 503/5.5.1");
  CHECK(codes(run(options, {start + "BDAT 1 LAST\r\nxNOOP\r\n"}).output) == "220 250 250/2.1.0 503/5.5.1 250/2.0.0");
}

TEST_CASE("RFC 9422: the number of transactions is limited") {
  auto options = plain_mx();
  options.transactions = 2;
  CHECK(codes(run(options, {"EHLO c\r\n" + repeat("MAIL FROM:<>\r\nRSET\r\n", 3)}).output) ==
        "220 250 250/2.1.0 250/2.0.0 250/2.1.0 250/2.0.0 421/4.7.0");
}

TEST_CASE("a line without end takes bounded memory") {
  const auto options = plain_mx();
  smtp::server_session session(options);
  session.next();
  session.accept();
  const std::string block(16384, 'x');
  int writes = 0;
  for (int i = 0; i < 1000;) {
    auto step = session.next();
    if (std::holds_alternative<smtp::need_bytes>(step)) {
      session.feed(block);
      ++i;
    } else {
      ++writes;
    }
  }
  CHECK(writes == 2);  // the greeting and one refusal
}

TEST_CASE("10,000 recipients: each gets its code, and the connection lives") {
  auto options = plain_mx();
  options.recipients = 1000;
  const std::string in = "EHLO c\r\nMAIL FROM:<>\r\n" + repeat("RCPT TO:<a@b.example>\r\n", 10000) + "DATA\r\nx\r\n.\r\n";
  const auto got = server_run(options, {})({{in}});
  const auto words = codes(got.output);
  CHECK(words.find("452/4.5.3") != std::string::npos);
  CHECK(words.ends_with("354 250/2.6.0"));
  CHECK(got.end == "open");
}

TEST_CASE("abort says farewell and closes, whatever was going on") {
  const auto options = plain_mx();
  for (const char* before : {"", "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nhalf"}) {
    smtp::server_session session(options);
    session.next();
    session.accept();
    session.feed(before);
    for (;;) {
      auto step = session.next();
      if (std::holds_alternative<smtp::need_bytes>(step)) break;
      if (std::holds_alternative<smtp::ask>(step)) session.accept();
    }
    session.abort(smtp::replies::timed_out);
    auto step = session.next();
    REQUIRE(std::holds_alternative<smtp::write>(step));
    CHECK(std::get<smtp::write>(step).bytes == "421 4.4.2 Waited too long\r\n");
    step = session.next();
    CHECK(std::holds_alternative<smtp::close>(step));
  }
}

#include <doctest/doctest.h>

#include <algorithm>

#include "briefwerk/protocol/smtp/client_session.hpp"

using namespace briefwerk::protocol::smtp;
namespace mail = briefwerk::mail;
namespace smtp = briefwerk::protocol::smtp;

namespace {

// The other side as a script: "C: " is what must come, "S: " what is answered; TLS stands for the handshake.
// The server's octets come in pieces of `piece` (0: whole).
class client_run {
 public:
  client_run(client_options&&, std::size_t) = delete;
  client_run(const client_options& options, std::size_t piece) : session_(options), piece_(piece) {}

  mail::smtp_envelope envelope;
  outgoing_details details;
  std::string message = "x\r\n";
  std::size_t messages = 1;      // then QUIT
  std::size_t message_piece = 0; // 0: whole
  std::string mechanism;         // empty: skip
  std::optional<std::string> initial;
  std::string response;

  // Octets of the server, by what was written so far.
  std::function<std::string(std::string_view written)> server;

  std::string events;
  std::string wire;
  std::size_t writes = 0;

  void operator()() {
    bool broken = false;
    for (int turns = 0; turns < 1000000; ++turns) {
      auto step = session_.next();
      if (auto* out = std::get_if<smtp::write>(&step)) {
        wire += out->bytes;
        fresh_ += out->bytes;
        ++writes;
      } else if (std::holds_alternative<need_bytes>(step)) {
        if (broken) return note("stuck");
        if (pending_.empty()) pending_ = server(std::exchange(fresh_, {}));
        if (pending_.empty()) {
          session_.connection_lost();
          broken = true;
        } else {
          feed();
        }
      } else if (std::holds_alternative<start_tls>(step)) {
        note("tls");
        pending_.clear();
        fresh_.clear();
        wire += "[tls]";
        session_.tls_started();
      } else if (auto* login = std::get_if<choose_login>(&step)) {
        note("login" + std::to_string(login->mechanisms.size()) +
             (login->last_refusal ? "!" + std::to_string(login->last_refusal->code) : ""));
        if (mechanism.empty() || login->last_refusal) session_.skip_login();
        else session_.log_in(mechanism, initial);
      } else if (auto* challenge = std::get_if<login_challenge>(&step)) {
        note("challenge:" + std::string(challenge->data));
        response == "*" ? session_.cancel_login() : session_.respond(response);
      } else if (std::holds_alternative<ready>(step)) {
        offset_ = 0;
        if (messages-- > 0) session_.send(envelope, details);
        else session_.quit();
      } else if (std::holds_alternative<need_message>(step)) {
        const std::size_t size = message_piece == 0 ? message.size() : std::min(message_piece, message.size() - offset_);
        // A block of its own: what the session may look at lasts until the next need_message.
        chunk_ = std::make_unique<char[]>(size);
        message.copy(chunk_.get(), size, offset_);
        offset_ += size;
        session_.message({chunk_.get(), size}, offset_ == message.size());
      } else if (std::holds_alternative<finished>(step)) {
        note("finished");
        for (const auto& outcome : session_.outcomes())
          note(std::to_string(outcome.answer.code) + "@" + std::to_string(static_cast<int>(outcome.stage)));
      } else {
        if (session_.failure()) note("failed:" + session_.failure()->to_string());
        return note("close");
      }
    }
    FAIL("no end");
  }

 private:
  void note(const std::string& what) { events += what + " "; }

  void feed() {
    const std::size_t size = piece_ == 0 ? pending_.size() : std::min(piece_, pending_.size());
    block_ = std::make_unique<char[]>(size);
    pending_.copy(block_.get(), size);
    pending_.erase(0, size);
    session_.feed({block_.get(), size});
  }

  client_session session_;
  std::size_t piece_;
  std::size_t offset_ = 0;
  std::string pending_;
  std::string fresh_;
  std::unique_ptr<char[]> block_;
  std::unique_ptr<char[]> chunk_;
};

// A list of answers, given one after the other each time the client waits with nothing more to read.
std::function<std::string(std::string_view)> answers(std::vector<std::string> list) {
  return [list, next = std::size_t{0}](std::string_view) mutable {
    return next < list.size() ? list[next++] : std::string();
  };
}

mail::smtp_envelope to(std::initializer_list<const char*> locals) {
  mail::smtp_envelope out;
  out.sender = mail::mailbox_address{"a", "x.example"};
  for (const char* local : locals) out.recipients.push_back({{local, "y.example"}, {}, 0});
  return out;
}

client_options plain() {
  client_options options;
  options.hostname = "c.example";
  options.tls = tls_policy::never;
  return options;
}

struct row {
  const char* why;
  std::vector<std::string> server;
  std::string wire;    // behind EHLO and before QUIT
  std::string events;
};

const std::string hello = "250-mx.example\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n250-REQUIRETLS\r\n";
const std::string piped = hello + "250 PIPELINING\r\n";
const std::string single = hello + "250 ENHANCEDSTATUSCODES\r\n";
const std::string chunked = hello + "250-CHUNKING\r\n250-BINARYMIME\r\n250 PIPELINING\r\n";

// Runs a row with the server's octets whole and in every small piece size; the same must come out.
void check(const row& expected, const client_options& options, const std::function<void(client_run&)>& prepare) {
  INFO(std::string(expected.why));
  for (std::size_t piece : {0, 1, 2, 3, 7, 20}) {
    client_run run(options, piece);
    run.envelope = to({"b"});
    run.server = answers(expected.server);
    prepare(run);
    run();
    CHECK(run.wire == expected.wire);
    CHECK(run.events == expected.events);
  }
}

}  // namespace

TEST_CASE("one recipient") {
  const std::string start = "EHLO c.example\r\n";
  const std::string one = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n";
  const row rows[] = {
      {"RFC 2920 pipelined",
       {"220 mx\r\n", piped, "250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n", "250 2.6.0 ok\r\n", "221 bye\r\n"},
       start + one + "DATA\r\nx\r\n.\r\nQUIT\r\n",
       "finished 250@8 close "},
      {"without PIPELINING one at a time",
       {"220 mx\r\n", single, "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n", "221 bye\r\n"},
       start + one + "DATA\r\nx\r\n.\r\nQUIT\r\n", "finished 250@8 close "},
      {"RFC 5321 §3.2 HELO where EHLO is not known",
       {"220 mx\r\n", "500 what\r\n", "250 mx\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n", "221 bye\r\n"},
       start + "HELO c.example\r\n" + one + "DATA\r\nx\r\n.\r\nQUIT\r\n", "finished 250@8 close "},
      {"several lines of greeting", {"220-a\r\n220 b\r\n", single, "550 no\r\n", "221 bye\r\n"},
       start + "MAIL FROM:<a@x.example>\r\nQUIT\r\n", "finished 550@5 close "},
      {"RFC 5321 §3.1 no service", {"554 no\r\n"}, "QUIT\r\n", "failed:554 no close "},
      {"421 at once", {"421 4.3.2 later\r\n"}, "", "failed:421 4.3.2 later close "},
      {"EHLO refused for now", {"220 mx\r\n", "451 later\r\n"}, start + "QUIT\r\n", "failed:451 later close "},
      {"sender refused; DATA was refused with it",
       {"220 mx\r\n", piped, "550 5.7.1 no\r\n503 what\r\n503 what\r\n", "221 bye\r\n"}, start + one + "DATA\r\nQUIT\r\n",
       "finished 550@5 close "},
      {"RFC 2920 §3.1 nobody accepted, DATA taken all the same",
       {"220 mx\r\n", piped, "250 ok\r\n550 5.1.1 no\r\n354 go\r\n", "554 5.5.1 nobody\r\n", "221 bye\r\n"},
       start + one + "DATA\r\n.\r\nQUIT\r\n", "finished 550@6 close "},
      {"nobody accepted, DATA refused",
       {"220 mx\r\n", piped, "250 ok\r\n550 5.1.1 no\r\n554 nobody\r\n", "221 bye\r\n"}, start + one + "DATA\r\nQUIT\r\n",
       "finished 550@6 close "},
      {"message refused at its end",
       {"220 mx\r\n", piped, "250 ok\r\n250 ok\r\n354 go\r\n", "554 5.6.0 no\r\n", "221 bye\r\n"},
       start + one + "DATA\r\nx\r\n.\r\nQUIT\r\n", "finished 554@8 close "},
      {"RFC 5321 §3.8 421 in the middle", {"220 mx\r\n", piped, "250 ok\r\n421 4.3.2 down\r\n"}, start + one + "DATA\r\n",
       "finished 421@6 failed:421 4.3.2 down close "},
      {"the connection breaks after the final dot: unknown, so later",
       {"220 mx\r\n", piped, "250 ok\r\n250 ok\r\n354 go\r\n"}, start + one + "DATA\r\nx\r\n.\r\n",
       "finished 451@8 failed:451 4.4.2 Connection lost close "},
      {"RFC 5321 §4.3.2 DATA has no 2yz: nothing was taken, whatever it means",
       {"220 mx\r\n", piped, "250 ok\r\n250 ok\r\n250 ok\r\n"}, start + one + "DATA\r\n",
       "finished 451@7 failed:451 4.5.0 The server's replies cannot be followed close "},
      {"nobody accepted, and DATA answered so",
       {"220 mx\r\n", piped, "250 ok\r\n550 no\r\n250 ok\r\n"}, start + one + "DATA\r\n",
       "finished 550@6 failed:451 4.5.0 The server's replies cannot be followed close "},
      {"no SMTP at all", {"HTTP/1.1 400 no\r\n"}, "QUIT\r\n",
       "failed:451 4.5.0 The server's replies cannot be followed close "},
  };
  for (const auto& row : rows) check(row, plain(), [](client_run&) {});
}

TEST_CASE("a reply in front of its command is none: the message was not taken") {
  const auto options = plain();
  client_run run(options, 0);
  run.envelope = to({"b"});
  run.server = answers({"220 mx\r\n", piped, "250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n"});
  run();
  CHECK(run.events == "finished 451@7 failed:451 4.5.0 The server's replies cannot be followed close ");
}

TEST_CASE("several recipients and messages") {
  const std::string start = "EHLO c.example\r\n";
  const std::string three =
      "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nRCPT TO:<c@y.example>\r\nRCPT TO:<d@y.example>\r\n";
  check({"an outcome for each; the next message needs RSET only where something stayed open",
         {"220 mx\r\n", piped, "250 ok\r\n250 ok\r\n550 no\r\n450 later\r\n354 go\r\n", "250 ok\r\n",
          "250 ok\r\n550 no\r\n550 no\r\n550 no\r\n503 no\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n",
          "250 ok\r\n", "221 bye\r\n"},
         start + three + "DATA\r\nx\r\n.\r\n" + three + "DATA\r\n" + "RSET\r\n" + three + "DATA\r\nx\r\n.\r\nQUIT\r\n",
         "finished 250@8 550@6 450@6 finished 550@6 550@6 550@6 finished 250@8 250@8 250@8 close "},
        plain(), [](client_run& run) {
          run.envelope = to({"b", "c", "d"});
          run.messages = 3;
        });

  auto narrow = plain();
  narrow.rcpt_window = 2;
  check({"no more recipients ahead of their replies than the window",
         {"220 mx\r\n", piped, "250 ok\r\n250 ok\r\n", "250 ok\r\n250 ok\r\n354 go\r\n", "250 ok\r\n", "221 bye\r\n"},
         start + three + "DATA\r\nx\r\n.\r\nQUIT\r\n", "finished 250@8 250@8 250@8 close "},
        narrow, [](client_run& run) { run.envelope = to({"b", "c", "d"}); });

  check({"RFC 9422 §4.2 RCPTMAX is obeyed",
         {"220 mx\r\n", "250-mx\r\n250-LIMITS MAILMAX=5 RCPTMAX=2\r\n250 PIPELINING\r\n",
          "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", "250 ok\r\n", "221 bye\r\n"},
         start + "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nRCPT TO:<c@y.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
         "finished 250@8 250@8 452@0 close "},
        plain(), [](client_run& run) { run.envelope = to({"b", "c", "d"}); });
}

TEST_CASE("parameters are sent where they are offered") {
  const std::string start = "EHLO c.example\r\n";
  const auto full = [](client_run& run) {
    auto& envelope = run.envelope;
    envelope.body = mail::body_kind::eight_bit_mime;
    envelope.ret = mail::return_content::headers;
    envelope.envelope_id = "q+2B1";
    envelope.recipients[0].notify_on = mail::notify::success | mail::notify::failure;
    envelope.recipients[0].original_recipient = "rfc822;o@x.example";
    run.details.size = 3;
  };
  check({"all of them",
         {"220 mx\r\n", piped, "250 ok\r\n250 ok\r\n354 go\r\n", "250 ok\r\n", "221 bye\r\n"},
         start + "MAIL FROM:<a@x.example> SIZE=3 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=q+2B1\r\n"
                 "RCPT TO:<b@y.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o@x.example\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
         "finished 250@8 close "},
        plain(), [&](client_run& run) {
          full(run);
          run.envelope.smtputf8 = run.envelope.require_tls = true;
        });
  check({"none of them",
         {"220 mx\r\n", "250 PIPELINING\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n", "221 bye\r\n"},
         start + "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n", "finished 250@8 close "},
        plain(), full);

  struct refusal {
    const char* why;
    std::function<void(client_run&)> prepare;
    int code;
  };
  const refusal refusals[] = {
      {"RFC 6531 §3.5", [](client_run& run) { run.envelope.smtputf8 = true; }, 553},
      {"an address needs it", [](client_run& run) { run.envelope.sender->local = "\xc3\xa9"; }, 553},
      {"RFC 8689 §4.2.1", [](client_run& run) { run.envelope.require_tls = true; }, 550},
      {"RFC 3030 §3", [](client_run& run) { run.envelope.body = mail::body_kind::binary_mime; }, 554},
      {"RFC 1870 §6.1", [](client_run& run) { run.details.size = 101; }, 552},
      {"nothing that ends a line goes into an address",
       [](client_run& run) { run.envelope.sender->local = "a\r\nRSET"; }, 553},
  };
  for (const auto& refused : refusals)
    check({refused.why, {"220 mx\r\n", "250-mx\r\n250 SIZE 100\r\n", "221 bye\r\n"}, start + "QUIT\r\n",
           "finished " + std::to_string(refused.code) + "@0 close "},
          plain(), refused.prepare);

  check({"RFC 8689 §5 a report goes to a server without REQUIRETLS",
         {"220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n", "221 bye\r\n"},
         start + "MAIL FROM:<>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n", "finished 250@8 close "},
        plain(), [](client_run& run) {
          run.envelope.require_tls = true;
          run.envelope.sender.reset();
        });
  check({"only the recipient that needs SMTPUTF8 fails",
         {"220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n", "221 bye\r\n"},
         start + "MAIL FROM:<>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n", "finished 553@0 250@8 553@0 close "},
        plain(), [](client_run& run) {
          run.envelope = to({"\xc3\xa9", "b", "b\r\nRSET"});
          run.envelope.sender.reset();
        });
}

TEST_CASE("STARTTLS") {
  const std::string start = "EHLO c.example\r\n";
  const std::string offer = "250-mx\r\n250 STARTTLS\r\n";
  auto required = plain();
  required.tls = tls_policy::required;
  auto offered = plain();
  offered.tls = tls_policy::if_offered;
  const auto none = [](client_run& run) { run.messages = 0; };
  check({"RFC 3207 §4.2 what came behind the 220 is forgotten, EHLO is said again",
         {"220 mx\r\n", offer, "220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n", single, "221 bye\r\n"},
         start + "STARTTLS\r\n[tls]" + start + "QUIT\r\n", "tls close "},
        required, none);
  check({"required and not offered", {"220 mx\r\n", single}, start + "QUIT\r\n",
         "failed:451 4.7.10 TLS is required and not offered close "},
        required, none);
  check({"required and refused", {"220 mx\r\n", offer, "454 no\r\n"}, start + "STARTTLS\r\nQUIT\r\n",
         "failed:454 4.7.0 The server refused STARTTLS close "},
        required, none);
  check({"RFC 7435 if offered: refused, so without", {"220 mx\r\n", offer, "454 no\r\n", "221 bye\r\n"},
         start + "STARTTLS\r\nQUIT\r\n", "close "},
        offered, none);
  check({"if offered: not offered", {"220 mx\r\n", single, "221 bye\r\n"}, start + "QUIT\r\n", "close "}, offered, none);
}

TEST_CASE("AUTH") {
  const std::string start = "EHLO c.example\r\n";
  const std::string offer = "250-mx\r\n250-AUTH plain LOGIN\r\n250 AUTH=LOGIN\r\n";
  auto options = plain();
  options.tls = tls_policy::active;
  options.log_in = true;
  const auto with = [](std::string mechanism, std::optional<std::string> initial, std::string response = "") {
    return [=](client_run& run) {
      run.messages = 0;
      run.mechanism = mechanism;
      run.initial = initial;
      run.response = response;
    };
  };
  check({"RFC 4954 §4 initial response", {"220 mx\r\n", offer, "235 2.7.0 ok\r\n", "221 bye\r\n"},
         start + "AUTH PLAIN eWVz\r\nQUIT\r\n", "login2 close "},
        options, with("PLAIN", "yes"));
  check({"RFC 4954 §4 empty initial response", {"220 mx\r\n", offer, "235 ok\r\n", "221 bye\r\n"},
         start + "AUTH EXTERNAL =\r\nQUIT\r\n", "login2 close "},
        options, with("EXTERNAL", ""));
  check({"challenge", {"220 mx\r\n", offer, "334 aGVsbG8=\r\n", "235 ok\r\n", "221 bye\r\n"},
         start + "AUTH LOGIN\r\neWVz\r\nQUIT\r\n", "login2 challenge:hello close "},
        options, with("LOGIN", std::nullopt, "yes"));
  check({"empty challenge and response", {"220 mx\r\n", offer, "334 \r\n", "235 ok\r\n", "221 bye\r\n"},
         start + "AUTH LOGIN\r\n\r\nQUIT\r\n", "login2 challenge: close "},
        options, with("LOGIN", std::nullopt, ""));
  check({"cancelled", {"220 mx\r\n", offer, "334 aGVsbG8=\r\n", "501 ok\r\n", "221 bye\r\n"},
         start + "AUTH LOGIN\r\n*\r\nQUIT\r\n", "login2 challenge:hello login2!501 close "},
        options, with("LOGIN", std::nullopt, "*"));
  check({"a challenge that is not base64 is answered by *",
         {"220 mx\r\n", offer, "334 !\r\n", "501 ok\r\n", "221 bye\r\n"}, start + "AUTH LOGIN\r\n*\r\nQUIT\r\n",
         "login2 login2!501 close "},
        options, with("LOGIN", std::nullopt, "yes"));
  check({"refused", {"220 mx\r\n", offer, "535 5.7.8 no\r\n", "221 bye\r\n"}, start + "AUTH PLAIN eWVz\r\nQUIT\r\n",
         "login2 login2!535 close "},
        options, with("PLAIN", "yes"));
  options.tls = tls_policy::if_offered;
  check({"no login in the clear", {"220 mx\r\n", offer}, start + "QUIT\r\n",
         "failed:451 4.7.10 TLS is required and not offered close "},
        options, with("PLAIN", "yes"));
}

TEST_CASE("LMTP: a final reply for each recipient") {
  auto options = plain();
  options.lmtp = true;
  check({"RFC 2033 §4.2",
         {"220 mx\r\n", piped, "250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n", "250 ok\r\n452 4.2.2 full\r\n",
          "221 bye\r\n"},
         "LHLO c.example\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nRCPT TO:<c@y.example>\r\n"
         "RCPT TO:<d@y.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
         "finished 250@8 550@6 452@8 close "},
        options, [](client_run& run) { run.envelope = to({"b", "c", "d"}); });
  check({"no HELO to fall back on", {"220 mx\r\n", "500 what\r\n"}, "LHLO c.example\r\nQUIT\r\n", "failed:500 what close "},
        options, [](client_run&) {});
}

TEST_CASE("BDAT") {
  auto options = plain();
  options.prefer_chunking = true;
  const std::string start = "EHLO c.example\r\nMAIL FROM:<a@x.example>";
  const std::string rcpt = "\r\nRCPT TO:<b@y.example>\r\n";
  check({"RFC 3030 §2 one chunk, no dots stuffed",
         {"220 mx\r\n", chunked, "250 ok\r\n250 ok\r\n", "250 ok\r\n", "221 bye\r\n"},
         start + rcpt + "BDAT 6 LAST\r\n.\r\n.\r\nQUIT\r\n", "finished 250@8 close "},
        options, [](client_run& run) { run.message = ".\r\n.\r\n"; });
  check({"RFC 3030 §4.2 several chunks",
         {"220 mx\r\n", chunked, "250 ok\r\n250 ok\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n", "221 bye\r\n"},
         start + " BODY=BINARYMIME" + rcpt + "BDAT 3\r\n\n.\rBDAT 3\r\nabcBDAT 1 LAST\r\ndQUIT\r\n", "finished 250@8 close "},
        plain(), [](client_run& run) {
          run.message = "\n.\rabcd";
          run.message_piece = 3;
          run.envelope.body = mail::body_kind::binary_mime;
        });
  check({"RFC 3030 §2 nothing is sent to nobody", {"220 mx\r\n", chunked, "250 ok\r\n550 no\r\n", "221 bye\r\n"},
         start + rcpt + "QUIT\r\n", "finished 550@6 close "},
        options, [](client_run&) {});
  check({"an empty message", {"220 mx\r\n", chunked, "250 ok\r\n250 ok\r\n", "250 ok\r\n", "221 bye\r\n"},
         start + rcpt + "BDAT 0 LAST\r\nQUIT\r\n", "finished 250@8 close "},
        options, [](client_run& run) { run.message.clear(); });
  // Nine chunks: the ninth waits for the first replies, and does not come after a refusal.
  check({"RFC 3030 §2 no chunk after a refused one",
         {"220 mx\r\n", chunked, "250 ok\r\n250 ok\r\n",
          "552 5.3.4 no\r\n503 no\r\n503 no\r\n503 no\r\n503 no\r\n503 no\r\n503 no\r\n503 no\r\n", "221 bye\r\n"},
         start + rcpt + "BDAT 1\r\n1BDAT 1\r\n2BDAT 1\r\n3BDAT 1\r\n4BDAT 1\r\n5BDAT 1\r\n6BDAT 1\r\n7BDAT 1\r\n8QUIT\r\n",
         "finished 552@7 close "},
        options, [](client_run& run) {
          run.message = "123456789";
          run.message_piece = 1;
        });
}

TEST_CASE("large messages are written from where they lie, in any pieces") {
  const auto options = plain();
  std::string text;
  for (int i = 0; i < 4000; ++i) text += i % 50 == 0 ? ".dotted line\r\n" : "an ordinary line of text, not short at all\r\n";
  std::string stuffed;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '.' && (i == 0 || text[i - 1] == '\n')) stuffed += '.';
    stuffed += text[i];
  }
  for (std::size_t piece : {0, 1, 1000, 16384, 65536}) {
    client_run run(options, 0);
    run.envelope = to({"b"});
    run.server = answers({"220 mx\r\n", piped, "250 ok\r\n250 ok\r\n354 go\r\n", "250 ok\r\n", "221 bye\r\n"});
    run.message = text;
    run.message_piece = piece;
    run();
    CHECK(run.wire.ends_with("DATA\r\n" + stuffed + ".\r\nQUIT\r\n"));
    CHECK(run.events == "finished 250@8 close ");
    CHECK(run.writes < 40);
  }
  client_run run(options, 0);
  run.envelope = to({"b"});
  run.server = answers({"220 mx\r\n", piped, "250 ok\r\n250 ok\r\n354 go\r\n", "250 ok\r\n", "221 bye\r\n"});
  run.message = std::string(300000, 'x');
  run();
  CHECK(run.wire.ends_with("DATA\r\n" + run.message + "\r\n.\r\nQUIT\r\n"));
  CHECK(run.writes == 5);
}

TEST_CASE("capabilities") {
  const auto got = capabilities::parse(
      "mx.example greets\nsize 35882577\nAUTH PLAIN LOGIN\nAUTH=LOGIN NTLM\nLIMITS RCPTMAX=100 MAILMAX=x RCPTDOMAINMAX=1\nXFOO bar\n"
      "PIPELINING \nCHUNKING\nbinarymime\nREQUIRETLS\nSTARTTLS\nDSN\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES");
  CHECK(got.extended);
  CHECK(got.size_limit == 35882577);
  CHECK(got.mechanisms == std::vector<std::string>{"PLAIN", "LOGIN", "NTLM"});
  CHECK(got.rcpt_max == 100);
  CHECK(!got.mail_max);
  CHECK(got.rcpt_domain_max == 1);
  CHECK((got.pipelining && got.chunking && got.binarymime && got.requiretls && got.starttls && got.dsn));
  CHECK((got.eightbitmime && got.smtputf8 && got.enhanced_codes));
  CHECK(!capabilities::parse("PIPELINING").pipelining);
}

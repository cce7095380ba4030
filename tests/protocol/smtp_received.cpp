#include "briefwerk/protocol/smtp/received.hpp"

#include <doctest/doctest.h>

#include "briefwerk/protocol/smtp/server_session.hpp"

using namespace briefwerk::protocol::smtp;

TEST_CASE("RFC 5321 §4.4: Received") {
  std::string out;
  append_received(out, {.hello = "client.example",
                        .client_name = "host.example",
                        .client_address = "[192.0.2.1]",
                        .by = "mx.example",
                        .with = {.tls = true, .authenticated = true},
                        .tls_version = "TLSv1.3",
                        .tls_cipher = "TLS_AES_128_GCM_SHA256",
                        .id = "q1",
                        .recipient = "b@y.example",
                        .date = "Mon, 23 Nov 2026 10:00:00 +0000"});
  CHECK(out ==
        "Received: from client.example (host.example [192.0.2.1])\r\n\tby mx.example with ESMTPSA\r\n"
        "\t(TLSv1.3 TLS_AES_128_GCM_SHA256)\r\n\tid q1\r\n\tfor <b@y.example>;\r\n\tMon, 23 Nov 2026 10:00:00 +0000\r\n");

  out.clear();
  append_received(out, {.hello = "a\r\n\tb(c);d", .client_address = "[IPv6:2001:db8::1]", .by = "mx.example", .date = "D"});
  CHECK(out == "Received: from a???b?c??d ([IPv6:2001:db8::1])\r\n\tby mx.example with ESMTP;\r\n\tD\r\n");
}

TEST_CASE("RFC 5321 §4.1.1.1: a greeting that is no domain puts no octet above 127 into the header") {
  std::string out;
  append_received(out, {.hello = "a\xff\xc3\xa4", .client_address = "[192.0.2.1]", .by = "mx.example", .date = "D"});
  CHECK(out == "Received: from a??? ([192.0.2.1])\r\n\tby mx.example with ESMTP;\r\n\tD\r\n");
}

TEST_CASE("RFC 3848, RFC 6531 §4.3: with") {
  struct row {
    const char* why;
    transmission how;
    std::string_view name;
  };
  const row rows[] = {
      {"HELO", {.extended = false}, "SMTP"},
      {"EHLO", {}, "ESMTP"},
      {"STARTTLS", {.tls = true}, "ESMTPS"},
      {"AUTH", {.authenticated = true}, "ESMTPA"},
      {"both", {.tls = true, .authenticated = true}, "ESMTPSA"},
      {"LMTP", {.lmtp = true}, "LMTP"},
      {"LMTP over TLS", {.tls = true, .lmtp = true}, "LMTPS"},
      {"SMTPUTF8", {.tls = true, .smtputf8 = true}, "UTF8SMTPS"},
      {"SMTPUTF8 over LMTP", {.tls = true, .authenticated = true, .smtputf8 = true, .lmtp = true}, "UTF8LMTPSA"},
  };
  for (const auto& row : rows) {
    INFO(std::string(row.why));
    CHECK(with_protocol(row.how) == row.name);
  }
}

TEST_CASE("RFC 5321 §4.4: Return-Path") {
  std::string out;
  append_return_path(out, "");
  append_return_path(out, "\"a b\"@x.example");
  append_return_path(out, "a\r\nX: y");
  CHECK(out == "Return-Path: <>\r\nReturn-Path: <\"a b\"@x.example>\r\nReturn-Path: <a??X: y>\r\n");
}

TEST_CASE("a session tells how the message came") {
  server_options options;
  options.require_tls = false;
  server_session session(options);
  session.tls_started({"TLSv1.3", "X"});
  session.next();
  session.accept();
  session.feed("EHLO c\r\nMAIL FROM:<> SMTPUTF8\r\n");
  for (;;) {
    auto step = session.next();
    if (std::holds_alternative<need_bytes>(step)) break;
    if (std::holds_alternative<ask>(step)) session.accept();
  }
  CHECK(with_protocol(transmission_of(session)) == "UTF8SMTPS");
  CHECK(session.hello_name() == "c");
}

#include <doctest/doctest.h>

#include "briefwerk/mail/body_structure.hpp"
#include "briefwerk/mail/envelope.hpp"
#include "briefwerk/mail/envelope_text.hpp"
#include "mail/message_check.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;

TEST_CASE("ENVELOPE, RFC 9051 §7.5.2, whole and cut") {
  struct row { std::string_view why; std::string_view in; std::string_view out; };
  const row rows[] = {
      {"RFC 3501 §8 example",
       "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n"
       "Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n"
       "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
       "Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n",
       "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\""
       " ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))"
       " ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\"))"
       " ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL"
       " \"<B27397-0100000@cac.washington.edu>\")"},
      {"absent is NIL", "", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"},
      {"empty is not absent", "Subject:\r\n\r\n", "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
      {"sender and reply-to of their own", "From: a@b\r\nSender: c@d\r\nReply-To: e@f\r\n\r\n",
       "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"e\" \"f\")) NIL NIL NIL NIL NIL)"},
      {"an empty sender defaults to from", "From: a@b\r\nSender: \r\n\r\n",
       "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)"},
      {"groups", "To: G:a@b;\r\n\r\n",
       "(NIL NIL NIL NIL NIL ((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)"},
      {"a route", "To: <@x,@y:a@b>\r\n\r\n", "(NIL NIL NIL NIL NIL ((NIL \"@x,@y\" \"a\" \"b\")) NIL NIL NIL NIL)"},
      {"quotes and backslashes", "Subject: a \"b\" \\c\r\n\r\n", "(NIL \"a \\\"b\\\" \\\\c\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
      {"folding goes", "Subject: a\r\n b\r\n\r\n", "(NIL \"a b\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
      {"white space that begins a line is one space", "Subject: a\r\n\tb\r\n   c \r\n d\r\n \r\n\te\r\n\r\n",
       "(NIL \"a b c d e\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
      {"white space within a line stays", "Subject: a  b\tc\r\n\r\n", "(NIL \"a  b\tc\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
      {"8 bit in a literal", "Subject: gr\xc3\xbcn\r\n\r\n", "(NIL {5}\r\ngr\xc3\xbcn NIL NIL NIL NIL NIL NIL NIL NIL)"},
      {"a bare CR in a literal", "Subject: a\rb\r\n\r\n", "(NIL {3}\r\na\rb NIL NIL NIL NIL NIL NIL NIL NIL)"},
      {"NUL cannot be sent", std::string_view("Subject: a\0b\r\n\r\n", 16), "(NIL \"ab\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
      {"two From fields are joined", "From: a@b\r\nFrom: c@d\r\nSender: e@f\r\nReply-To: e@f\r\n\r\n",
       "(NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) ((NIL NIL \"e\" \"f\")) ((NIL NIL \"e\" \"f\")) NIL NIL NIL NIL NIL)"},
      {"the first of two subjects", "Subject: a\r\nSubject: b\r\n\r\n", "(NIL \"a\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
      {"no host is an empty one: NIL would mean a group", "To: root\r\n\r\n",
       "(NIL NIL NIL NIL NIL ((NIL NIL \"root\" \"\")) NIL NIL NIL NIL)"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    test::with_exact_block(r.in, [&](std::string_view text) {
      std::string out;
      mail::append_envelope(out, text);
      CHECK(out == r.out);
    });
    test::with_every_cut(r.in, [](std::string_view text) {
      std::string out;
      mail::append_envelope(out, text);
      CHECK(test::is_imap_list(out));
    });
  }
}

TEST_CASE("texts of an envelope's fields, decoded, and nothing of a cut one") {
  const std::string_view header =
      "Subject: back\\slash \"quoted\" end\r\nFrom: \"O'Neil, \\\"Bo\\\"\" <bo@x.test>, =?utf-8?q?J=C3=B6rg?= <j@y.test>\r\n"
      "To: plain@z.test\r\nCc: J\xc3\xb6rg <c@z.test>\r\nMessage-ID: <1@x>\r\n\r\n";
  std::string envelope;
  mail::append_envelope(envelope, header);
  using field = mail::envelope_field;
  struct row {
    const char* why;
    field of;
    std::optional<std::string> text;
  };
  const row rows[] = {
      {"RFC 9051 §4.3: quoted specials", field::subject, "back\\slash \"quoted\" end"},
      {"an escaped name, and one that RFC 2047 codes", field::from, "O'Neil, \"Bo\" <bo@x.test>, J\xc3\xb6rg <j@y.test>"},
      {"no name", field::to, "<plain@z.test>"},
      {"a name in raw UTF-8", field::cc, "J\xc3\xb6rg <c@z.test>"},
      {"NIL", field::bcc, std::nullopt},
      {"behind all others", field::message_id, "<1@x>"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    CHECK(mail::envelope_text(envelope, row.of) == row.text);
    for (std::size_t cut = 0; cut < envelope.size(); ++cut) {
      const std::vector<char> exact(envelope.begin(), envelope.begin() + static_cast<std::ptrdiff_t>(cut));
      const auto some = mail::envelope_text(std::string_view(exact.data(), exact.size()), row.of);
      CHECK((!some || some == row.text));
    }
  }
  CHECK_FALSE(mail::envelope_text("(NIL \"never ends", field::subject));
  CHECK_FALSE(mail::envelope_text("(NIL \"never \\\"", field::subject));
}

TEST_CASE("BODY and BODYSTRUCTURE, RFC 9051 §7.5.2") {
  struct row { std::string_view why; std::string_view in; std::string_view body; std::string_view structure; };
  const row rows[] = {
      {"text counts lines", "Content-Type: TEXT/PLAIN; charset=x\r\nContent-ID: <a@b>\r\nContent-Description: d\r\n"
       "Content-Transfer-Encoding: 8BIT\r\n\r\n1\r\n2\r\n",
       "(\"TEXT\" \"PLAIN\" (\"charset\" \"x\") \"<a@b>\" \"d\" \"8BIT\" 6 2)",
       "(\"TEXT\" \"PLAIN\" (\"charset\" \"x\") \"<a@b>\" \"d\" \"8BIT\" 6 2 NIL NIL NIL NIL)"},
      {"RFC 2045 §5.2 default", "\r\nx",
       "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0)",
       "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL)"},
      {"extension data", "Content-Type: image/png; name*=utf-8''a\r\nContent-Disposition: attachment; filename=\"a \\\"b\"\r\n"
       "Content-Language: en, de\r\nContent-Location: x\r\nContent-MD5: m\r\n\r\nx",
       "(\"image\" \"png\" (\"name*\" \"utf-8''a\") NIL NIL \"7bit\" 1)",
       "(\"image\" \"png\" (\"name*\" \"utf-8''a\") NIL NIL \"7bit\" 1 \"m\" (\"attachment\" (\"filename\" \"a \\\"b\"))"
       " (\"en\" \"de\") \"x\")"},
      {"RFC 2231 §3 pieces are one parameter", "Content-Type: a/b; x=1; Name*1=\"b c\"; name*0=\"a \"; y=2\r\n"
       "Content-Disposition: attachment; filename*0*=utf-8''%C3%A4; filename*1=\"x y%\"; filename*2*=%20z; filename=f\r\n\r\nx",
       "(\"a\" \"b\" (\"x\" \"1\" \"Name\" \"a b c\" \"y\" \"2\") NIL NIL \"7bit\" 1)",
       "(\"a\" \"b\" (\"x\" \"1\" \"Name\" \"a b c\" \"y\" \"2\") NIL NIL \"7bit\" 1 NIL (\"attachment\""
       " (\"filename*\" \"utf-8''%C3%A4x%20y%25%20z\" \"filename\" \"f\")) NIL NIL)"},
      {"pieces behind a gap, pieces without a beginning, and repeated ones stay",
       "Content-Type: a/b; n*0=a; n*2=c; n*0=d; m*1=x; o**=y; p*0=1; p*1*=%41; *0=z\r\n\r\nx",
       "(\"a\" \"b\" (\"n\" \"a\" \"n*2\" \"c\" \"n*0\" \"d\" \"m*1\" \"x\" \"o**\" \"y\" \"p*\" \"''1%41\" \"*0\" \"z\")"
       " NIL NIL \"7bit\" 1)",
       "(\"a\" \"b\" (\"n\" \"a\" \"n*2\" \"c\" \"n*0\" \"d\" \"m*1\" \"x\" \"o**\" \"y\" \"p*\" \"''1%41\" \"*0\" \"z\")"
       " NIL NIL \"7bit\" 1 NIL NIL NIL NIL)"},
      {"a message with its envelope", "Content-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\nx\r\n",
       "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL)"
       " (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1) 3)",
       "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL)"
       " (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)"},
      {"a multipart", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b\r\n\r\nx\r\n--b--",
       "((\"a\" \"b\" NIL NIL NIL \"7bit\" 1) \"mixed\")",
       "((\"a\" \"b\" NIL NIL NIL \"7bit\" 1 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    test::with_exact_block(r.in, [&](std::string_view text) {
      const mail::mime_tree tree(text);
      std::string body, structure;
      mail::append_body(body, tree);
      mail::append_body_structure(structure, tree);
      CHECK(body == r.body);
      CHECK(structure == r.structure);
    });
  }
}

#include <doctest/doctest.h>

#include <vector>

#include "briefwerk/mail/searched_text.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;

namespace {

using texts = std::vector<std::string>;

texts body_texts(std::string_view raw) {
  texts out;
  mail::visit_body_text(mail::mime_tree(raw), [&](std::string_view text) { return out.emplace_back(text), false; });
  return out;
}

texts part_headers(std::string_view raw) {
  texts out;
  mail::visit_part_headers(mail::mime_tree(raw), [&](std::string_view text) { return out.emplace_back(text), false; });
  return out;
}

}  // namespace

TEST_CASE("what BODY and TEXT look at, RFC 9051 §6.4.4") {
  struct row {
    std::string_view why, in;
    texts body, headers;
  };
  const row rows[] = {
      {"text parts, decoded, and no others",
       "Subject: s\nContent-Type: multipart/mixed; boundary=b\n\npreamble\n--b\nContent-Transfer-Encoding: quoted-printable\n\n=41\n"
       "--b\nContent-Type: image/png; name=\"=?utf-8?q?=C3=A4?=.png\"\n\nx\n--b--\nepilogue",
       {"A"},
       {"Content-Transfer-Encoding: quoted-printable", "Content-Type: image/png; name=\"\xc3\xa4.png\""}},
      {"reports", "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nStatus: 5.1.1\n\nTo: x\n--b--",
       {"Status: 5.1.1\n\nTo: x"},
       {"Content-Type: message/delivery-status"}},
      {"a message inside, its header and its text; its parts' headers",
       "Content-Type: message/rfc822\n\nSubject: in\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-ID: <c>\n\ny\n--b--",
       {"Subject: in", "Content-Type: multipart/mixed; boundary=b", "y"},
       {"Content-ID: <c>"}},
      {"file names of RFC 2231 as they are read, also of the message itself",
       "Content-Type: application/pdf; name*0=a; name*1=\" b.pdf\"\nContent-Disposition: attachment; filename*=utf-8''%C3%A4.pdf\n\nx",
       {},
       {"a b.pdf", "\xc3\xa4.pdf"}},
      {"plain names stand in the header already", "Content-Type: application/pdf; name=a\n\nx", {}, {}},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    test::with_exact_block(r.in, [&](std::string_view raw) {
      CHECK(body_texts(raw) == r.body);
      CHECK(part_headers(raw) == r.headers);
    });
  }
}

TEST_CASE("the walk over the parts' headers ends when enough was seen") {
  const mail::mime_tree tree("Content-Type: multipart/mixed; boundary=b\n\n--b\nX-A: 1\nX-B: 2\n\n--b\nX-C*: 3\n\n--b--");
  for (int wanted = 1; wanted <= 3; ++wanted) {
    int seen = 0;
    CHECK(mail::visit_part_headers(tree, [&](std::string_view) { return ++seen == wanted; }));
    CHECK(seen == wanted);
  }
  CHECK_FALSE(mail::visit_part_headers(tree, [](std::string_view) { return false; }));
}

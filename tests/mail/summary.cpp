#include <doctest/doctest.h>

#include "mail/message_check.hpp"
#include "mail/preview.hpp"
#include "mail/subject.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;

TEST_CASE("base subjects, RFC 5256 §2.1") {
  struct row { std::string_view why; std::string_view in; std::string_view out; bool reply; };
  const row rows[] = {
      {"as it is", "Hello", "Hello", false},
      {"subj-refwd", "Re: Hello", "Hello", true},
      {"subj-refwd, any case and space", "rE  : FWD: fw: Hello", "Hello", true},
      {"subj-blob in a refwd", "Re[2]: Hello", "Hello", true},
      {"blobs before a refwd", "[list] [x] Re: Hello", "Hello", true},
      {"step 4: a blob goes when something is left", "[list] Hello", "Hello", false},
      {"step 4: but not when it is all", "[list]", "[list]", false},
      {"subj-trailer", "Hello (fwd) (FWD)", "Hello", true},
      {"step 6", "[Fwd: Re: Hello]", "Hello", true},
      {"step 1: encoded-words and white space", "=?utf-8?Q?Re:_a?=\r\n\t b", "a b", true},
      {"no refwd without colon", "Rest", "Rest", false},
      {"other languages are not in the RFC", "AW: Hallo", "AW: Hallo", false},
      {"nothing left", "Re:", "", true},
      {"empty", "", "", false},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    const auto subject = mail::base_subject(r.in);
    CHECK(subject.text == r.out);
    CHECK(subject.is_reply == r.reply);
    test::with_every_cut(r.in, [](std::string_view text) { mail::base_subject(text); });
  }
  std::string blobs;
  for (int i = 0; i < 100000; ++i) blobs += "[";
  mail::base_subject(blobs);
}

TEST_CASE("a summary holds what sorting and threading need") {
  const std::string_view raw =
      "Date: Sat, 7 Nov 2026 00:15:00 +0100\r\nSubject: Re: Gr\xc3\xbc\xc3\x9f" "e\r\n"
      "From: =?utf-8?Q?J=C3=B6?= <joe@b.example>, c@d.example\r\nTo: G: x@y.example;\r\nCc: Z@y.example\r\n"
      "Message-ID: <1@b>\r\nIn-Reply-To: <0@b>\r\nReferences: <a@b> <0@b>\r\n\r\nHello  there,\r\n\r\nJoe\r\n";
  const auto s = mail::summarise(raw);
  CHECK(s.size == raw.size());
  CHECK(s.sent == std::chrono::sys_days(std::chrono::year(2026) / 11 / 6) + std::chrono::hours(23) + std::chrono::minutes(15));
  CHECK(s.sent_offset == 60);
  CHECK(s.base_subject == mail::casemap("Gr\xc3\xbc\xc3\x9f" "e"));
  CHECK(s.is_reply);
  CHECK(s.message_id == "1@b");
  CHECK(s.in_reply_to == "0@b");
  CHECK(s.references == std::vector<std::string>{"a@b", "0@b"});
  CHECK(s.from == "JOE");
  CHECK(s.display_from == mail::casemap("J\xc3\xb6"));
  CHECK(s.to == "G");  // the group that stands first, as ENVELOPE shows it
  CHECK(s.display_to == "G");
  CHECK(s.cc == "Z");
  CHECK_FALSE(s.has_attachment);
  CHECK(s.preview == "Hello there, Joe");

  CHECK(mail::summarise(std::string_view("In-Reply-To: <x@y>\n\n")).references == std::vector<std::string>{"x@y"});
  const auto broken = mail::summarise(std::string_view("Date: never\n\n"));
  CHECK_FALSE(broken.sent);
  CHECK(broken.from.empty());

  std::string many = "References:";
  for (int i = 0; i < 500; ++i) many += " <" + std::to_string(i) + "@x>";
  const auto cut = mail::summarise(many + "\r\n\r\n");
  CHECK(cut.references.size() == 100);
  CHECK(cut.references.front() == "0@x");
  CHECK(cut.references.back() == "499@x");
}

TEST_CASE("what counts as an attachment") {
  struct row { std::string_view why; std::string_view part; bool attachment; };
  const row rows[] = {
      {"text", "Content-Type: text/plain", false},
      {"marked", "Content-Type: text/plain\nContent-Disposition: attachment", true},
      {"text with a file name", "Content-Type: text/csv\nContent-Disposition: inline; filename=x", true},
      {"a file", "Content-Type: application/pdf", true},
      {"a picture of the text", "Content-Type: image/png\nContent-ID: <a>", false},
      {"a picture", "Content-Type: image/png", true},
      {"a signature", "Content-Type: application/pgp-signature", false},
      {"a status report", "Content-Type: message/delivery-status", false},
      {"a forwarded message", "Content-Type: message/rfc822", true},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    const auto raw = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n" + std::string(r.part) + "\n\ny\n--b--\n";
    CHECK(mail::summarise(raw).has_attachment == r.attachment);
  }
}

TEST_CASE("previews, RFC 8970") {
  const auto preview = [](std::string_view raw) { return mail::preview(mail::mime_tree(raw)); };
  CHECK(preview("Content-Type: text/html\n\n<style>p{}</style><title>t</title><p>a&nbsp;b &amp; &#x20ac;<br>c<!-- d -->") ==
        "a b & \xe2\x82\xac c");
  CHECK(preview("Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ngr=FCn=\n e") ==
        "gr\xc3\xbcn e");
  CHECK(preview("Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html\n\nx\n--b\n\ny\n--b--") == "y");
  CHECK(preview("Content-Type: image/png\n\nx") == "");
  // The text may stand behind a message that is attached, whose own text does not count.
  CHECK(preview("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n\ninside\n--b\n\nown\n--b--") == "own");
  CHECK(preview("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n\ninside\n--b--") == "");
  CHECK(preview("Content-Type: message/rfc822\n\n\ninside") == "inside");
  std::string text = "\n";
  for (int i = 0; i < 3000; ++i) text += "\xc3\xa4";
  CHECK(preview(text).size() == 400);  // 200 characters
  CHECK(preview("\n\x01" + text) == preview(text));
  CHECK(mail::strip_html("<p") == " ");
  CHECK(mail::strip_html("a < b") == "a  ");
  CHECK(mail::strip_html("&#xd800;&#x110000;&foo;&") == "\xef\xbf\xbd&");
}

TEST_CASE("summaries as octets, whole and cut") {
  auto s = mail::summarise(std::string_view("Subject: x\r\nFrom: a@b\r\nDate: 1 Jan 1960 00:00:00 +0000\r\n"
                                            "References: <a@b> <c@d>\r\n\r\nx"));
  const auto octets = mail::encode_summary(s);
  CHECK(mail::decode_summary(octets).value() == s);
  test::with_every_cut(octets, [&](std::string_view text) {
    CHECK(mail::decode_summary(text).has_value() == (text.size() == octets.size()));
  });
  auto later = octets;
  later[0] = 2;
  CHECK(mail::decode_summary(later).error() == base::errc::unsupported);
  // The envelope alone: as soon as it is there.
  const auto before = octets.find(s.envelope);
  REQUIRE(before != octets.npos);
  test::with_every_cut(octets, [&](std::string_view text) {
    CHECK(mail::summary_envelope(text) == (text.size() < before + s.envelope.size() ? "" : s.envelope));
  });
  CHECK(mail::summary_envelope(later).empty());
  const auto undated = mail::summarise(std::string_view("Subject: x\r\n\r\nx"));
  CHECK(mail::summary_envelope(mail::encode_summary(undated)) == undated.envelope);
  // A later minor writer may add fields at the end.
  CHECK(mail::decode_summary(octets + "more").value() == s);
  for (std::size_t i = 2; i < octets.size(); ++i) {
    auto bent = octets;
    bent[i] = static_cast<char>(bent[i] ^ '\x80');
    test::with_exact_block(bent, [](std::string_view text) { (void)mail::decode_summary(text); });
  }
}

#include <doctest/doctest.h>

#include "briefwerk/mail/charset.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;

TEST_CASE("charsets become UTF-8") {
  CHECK(mail::to_utf8("gr\xfcn", "ISO-8859-1").value() == "gr\xc3\xbcn");
  CHECK(mail::to_utf8("\x1b$B4A;z\x1b(B", "iso-2022-jp").value() == "\xe6\xbc\xa2\xe5\xad\x97");
  CHECK(mail::to_utf8("\xd7\xd6", "GB2312").value() == "\xe5\xad\x97");
  CHECK(mail::to_utf8("a\xff", "utf-8").value() == "a\xef\xbf\xbd");
  CHECK(mail::to_utf8("a\xff", "us-ascii").value() == "a\xef\xbf\xbd");
  CHECK(mail::to_utf8("a", "no-such-charset").error() == base::errc::unsupported);
  CHECK(mail::to_utf8("a", "../../etc/passwd").error() == base::errc::unsupported);
  CHECK(mail::to_utf8("a", "").error() == base::errc::unsupported);
  CHECK(mail::is_known_charset("KOI8-R"));
  CHECK_FALSE(mail::is_known_charset("x-unknown"));
  CHECK(mail::guess_utf8("gr\xfcn") == "gr\xc3\xbcn");
  CHECK(mail::guess_utf8("gr\xc3\xbcn") == "gr\xc3\xbcn");
}

TEST_CASE("UTF-8 is what RFC 3629 §4 says") {
  struct row { std::string_view why; std::string_view in; bool ok; };
  const row rows[] = {
      {"ASCII", "a long enough text of ASCII", true},
      {"two, three, four octets", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", true},
      {"last character", "\xf4\x8f\xbf\xbf", true},
      {"past the last", "\xf4\x90\x80\x80", false},
      {"overlong, two", "\xc0\xaf", false},
      {"overlong, three", "\xe0\x80\xaf", false},
      {"overlong, four", "\xf0\x80\x80\xaf", false},
      {"surrogate", "\xed\xa0\x80", false},
      {"continuation alone", "abcdefgh\x80", false},
      {"five octets", "\xf8\x88\x80\x80\x80", false},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    test::with_exact_block(r.in, [&](std::string_view text) { CHECK(mail::is_valid_utf8(text) == r.ok); });
    test::with_every_cut(r.in, [](std::string_view text) {
      CHECK(mail::is_valid_utf8(mail::repair_utf8(text)));
      CHECK(mail::is_valid_utf8(mail::guess_utf8(text)));
      if (mail::is_valid_utf8(text))
        for (std::size_t i = 0; i <= text.size(); ++i)
          CHECK(mail::is_valid_utf8(text.substr(0, mail::utf8_prefix(text, i))));
    });
  }
}

TEST_CASE("i;unicode-casemap, RFC 5051 §2") {
  CHECK(mail::casemap("abc") == "ABC");
  CHECK(mail::casemap("Gr\xc3\xbcn") == "GRU\xcc\x88N");
  CHECK(mail::casemap("\xef\xac\x81x") == "fiX");  // U+FB01 has no titlecase of one character; then decomposed
  CHECK(mail::casemap("\xc7\x86") == mail::casemap("\xc7\x84"));     // U+01C6 and U+01C4 share U+01C5
  CHECK(mail::casemap_searcher("GR\xc3\x9cN").found_in("im gr\xc3\xbcnen Gras"));
  CHECK(mail::casemap_searcher("").found_in(""));
  CHECK_FALSE(mail::casemap_searcher("rot").found_in("gr\xc3\xbcn"));
}

TEST_CASE("modified UTF-7, RFC 3501 §5.1.3, whole and cut") {
  struct row { std::string_view why; std::string_view coded; std::string_view utf8; };
  const row rows[] = {
      {"RFC 3501 §5.1.3 example", "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
       "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
      {"& alone", "R&-D", "R&D"},
      {"one character", "Entw&APw-rfe", "Entw\xc3\xbcrfe"},
      {"surrogate pair", "&2D3eAA-", "\xf0\x9f\x98\x80"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    CHECK(mail::decode_modified_utf7(r.coded).value() == r.utf8);
    CHECK(mail::encode_modified_utf7(r.utf8).value() == r.coded);
    test::with_every_cut(r.coded, [](std::string_view text) {
      const auto decoded = mail::decode_modified_utf7(text);
      if (decoded) CHECK(mail::encode_modified_utf7(*decoded) == text);
    });
  }
  struct bad_row { std::string_view why; std::string_view coded; };
  const bad_row bad[] = {
      {"§5.1.3: no superfluous shift", "&U,BTFw-&ZeVnLIqe-"},
      {"§5.1.3: what is printable is written as it is", "&AGE-"},
      {"no end", "&U,BTFw"},
      {"a slash is no base64 here", "&U/BTFw-"},
      {"half a character", "&U,-"},
      {"bits left over", "&APx-"},
      {"lone surrogate", "&2D0-"},
      {"8 bit", "gr\xc3\xbcn"},
      {"control character", "a\tb"},
  };
  for (const auto& r : bad) {
    CAPTURE(r.why);
    CHECK_FALSE(mail::decode_modified_utf7(r.coded).has_value());
  }
  CHECK_FALSE(mail::encode_modified_utf7("\xff").has_value());
}

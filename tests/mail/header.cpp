#include <doctest/doctest.h>

#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;

TEST_CASE("header blocks are read in place, whole and cut") {
  struct row { std::string_view why; std::string_view in; std::string_view out; std::size_t length; };
  const row rows[] = {
      {"RFC 5322 §2.2", "A: b\r\nC:d\r\n\r\nbody", "[A| b][C|d]", 13},
      {"§2.2.3 folding", "A: b\r\n c\r\n\td\r\n\r\n", "[A| b\r\n c\r\n\td]", 16},
      {"bare LF", "A: b\n c\n\nbody", "[A| b\n c]", 9},
      {"no empty line", "A: b", "[A| b]", 4},
      {"§4.5: white space before the colon", "A \t: b\r\n\r\n", "[A| b]", 10},
      {"a line that is no field is passed over", "From x Sat\r\nA: b\r\nrubbish\r\nC: d\r\n\r\n", "[A| b][C| d]", 35},
      {"no name", ": b\r\nA: c\r\n\r\n", "[A| c]", 13},
      {"empty value", "A:\r\nB: \r\n\r\n", "[A|][B| ]", 11},
      {"empty block", "\r\nA: b\r\n", "", 2},
      {"nothing", "", "", 0},
      {"a CR alone is no line end", "A: b\rC: d\r\n\r\n", "[A| b\rC: d]", 13},
      {"folding at the very start", " x\r\nA: b\r\n\r\n", "[A| b]", 12},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    test::with_exact_block(r.in, [&](std::string_view text) {
      mail::header_reader reader(text);
      mail::header_field field;
      std::string out;
      while (reader.next(field)) out += '[' + std::string(field.name) + '|' + std::string(field.value) + ']';
      CHECK(out == r.out);
      CHECK(reader.position() == r.length);
      CHECK_FALSE(reader.next(field));
    });
    test::with_every_cut(r.in, [](std::string_view text) {
      const mail::header_block block(text);
      for (const auto& field : block.fields()) {
        CHECK(field.whole.data() >= text.data());
        CHECK(field.whole.data() + field.whole.size() <= text.data() + text.size());
      }
    });
  }
  std::string many;
  for (int i = 0; i < 3000; ++i) many += "A: b\r\n";
  const mail::header_block many_fields(many);
  CHECK(many_fields.fields().size() == 2000);
  const auto huge = "A: b\r\nB: " + std::string(2 << 20, 'x') + "\r\n\r\n";
  const mail::header_block huge_field(huge);
  CHECK(huge_field.fields().size() == 1);
}

TEST_CASE("fields are found and selected") {
  const mail::header_block block("To: a\r\nX: 1\r\nto: b\r\n\r\n");
  CHECK(block.count("TO") == 2);
  CHECK(block.find("to", 1)->value == " b");
  CHECK(block.find("to", 2) == nullptr);
  CHECK(block.value("x") == " 1");
  const std::string_view names[] = {"TO", "cc"};
  std::string out;
  mail::append_header_fields(out, "To: a\r\nX: 1\r\n 2\r\nto: b\r\n\r\n", names, false);
  CHECK(out == "To: a\r\nto: b\r\n\r\n");
  out.clear();
  mail::append_header_fields(out, "To: a\r\nX: 1\r\n 2\r\nto: b", names, true);
  CHECK(out == "X: 1\r\n 2\r\n\r\n");
}

TEST_CASE("text with encoded-words, RFC 2047") {
  struct row { std::string_view why; std::string_view in; std::string_view out; };
  const row rows[] = {
      {"§8", "=?ISO-8859-1?Q?a?=", "a"},
      {"§8: a word and text", "(=?ISO-8859-1?Q?a?= b)", "(a b)"},
      {"§6.2: no space between words", "=?ISO-8859-1?Q?a?=\r\n  =?ISO-8859-1?Q?b?=", "ab"},
      {"§4.2: underscore", "=?ISO-8859-1?Q?a_b?=", "a b"},
      {"§4.1", "=?utf-8?B?w6TDtg==?=", "\xc3\xa4\xc3\xb6"},
      {"RFC 2231 §5: language", "=?us-ascii*en?Q?a?=", "a"},
      {"a character cut in two by the sender", "=?utf-8?B?ww==?= =?utf-8?B?pA==?=", "\xc3\xa4"},
      {"two charsets", "=?iso-8859-1?Q?=E4?= =?utf-8?Q?=C3=B6?=", "\xc3\xa4\xc3\xb6"},
      {"an unknown charset stays", "=?x-foo?Q?a?= b", "=?x-foo?Q?a?= b"},
      {"unknown after known", "=?utf-8?Q?a?= =?x-foo?Q?b?=", "a =?x-foo?Q?b?="},
      {"an unknown encoding stays", "=?utf-8?X?a?=", "=?utf-8?X?a?="},
      {"no end", "=?utf-8?Q?a", "=?utf-8?Q?a"},
      {"=? alone", "a =? b", "a =? b"},
      {"no line end comes out", "=?utf-8?Q?a=0D=0AX:_b?=", "a  X: b"},
      {"raw UTF-8, RFC 6532", "gr\xc3\xbcn", "gr\xc3\xbcn"},
      {"raw octets of another charset", "gr\xfcn =?utf-8?Q?a?=", "gr\xc3\xbcn a"},
      {"inside a text without space", "[x]=?utf-8?Q?a?=b", "[x]ab"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    test::with_exact_block(r.in, [&](std::string_view text) { CHECK(mail::decode_text(text) == r.out); });
    test::with_every_cut(r.in, [](std::string_view text) { CHECK(mail::is_valid_utf8(mail::decode_text(text))); });
  }
}

TEST_CASE("parameters, RFC 2045 §5.1 and RFC 2231") {
  struct row { std::string_view why; std::string_view in; std::string_view out; };
  const row rows[] = {
      {"RFC 2045 §5.1", "text/plain; charset=us-ascii (Plain text)", "text/plain charset=us-ascii"},
      {"RFC 2045 §5.1: quoted is the same", "Text/PLAIN; Charset=\"us-ascii\"", "text/plain charset=us-ascii"},
      {"quoted pairs", "a/b; n=\"x\\\"y\\\\z\"", "a/b n=x\"y\\z"},
      {"RFC 2231 §3", "message/external-body; access-type=URL;\r\n URL*0=\"ftp://\";\r\n URL*1=\"cs.utk.edu/\"",
       "message/external-body access-type=URL url=ftp://cs.utk.edu/"},
      {"RFC 2231 §3: in any order", "a/b; n*1=y; n*0=x", "a/b n=xy"},
      {"RFC 2231 §4", "application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
       "application/x-stuff title=This is ***fun***"},
      {"RFC 2231 §4.1", "application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20;"
       " title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
       "application/x-stuff title=This is even more ***fun*** isn't it!"},
      {"RFC 2231 with another charset", "a/b; n*=iso-8859-1''gr%FCn", "a/b n=gr\xc3\xbcn"},
      {"the extended form wins", "a/b; n=\"gr?n\"; n*=utf-8''gr%C3%BCn", "a/b n=gr\xc3\xbcn"},
      {"a piece is missing: what comes before counts", "a/b; n*0=x; n*2=z", "a/b n=x"},
      {"the first piece is missing", "a/b; n*1=x; m=y", "a/b m=y"},
      {"a piece twice", "a/b; n*0=x; n*0=y; n*1=z", "a/b n=xz"},
      {"an RFC 2047 word, which does not belong there", "a/b; name=\"=?utf-8?Q?gr=C3=BCn?=\"", "a/b name=gr\xc3\xbcn"},
      {"the first of two counts", "a/b; n=x; n=y", "a/b n=x"},
      {"a name with spaces and no quotes", "a/b; name=my file.txt; x=y", "a/b name=my file.txt x=y"},
      {"a forgotten semicolon", "a/b; access=x\r\n server=y", "a/b access=x server=y"},
      {"superfluous semicolons", "a/b ;;; ;n=x;", "a/b n=x"},
      {"a name without value", "a/b; n; m=x", "a/b m=x"},
      {"an open quote", "a/b; n=\"x; m=y", "a/b n=x; m=y"},
      {"no subtype", "text; charset=x", " charset=x"},
      {"no type", "/plain; n=x", " n=x"},
      {"unquoted specials", "multipart/mixed; boundary=gc0pJq0M:08jU/534=c0p", "multipart/mixed boundary=gc0pJq0M:08jU/534=c0p"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    const auto show = [](const mail::parameterised_value& value) {
      auto out = value.value;
      for (const auto& p : value.parameters) out += ' ' + p.name + '=' + p.value;
      return out;
    };
    test::with_exact_block(r.in, [&](std::string_view text) { CHECK(show(mail::parse_content_type(text)) == r.out); });
    test::with_every_cut(r.in, [](std::string_view text) {
      mail::parse_content_type(text);
      mail::parse_content_disposition(text);
    });
  }
  std::string many = "a/b";
  for (int i = 0; i < 500; ++i) many += "; n" + std::to_string(i) + "=x";
  CHECK(mail::parse_content_type(many).parameters.size() == 100);
  CHECK(mail::parse_content_disposition("Attachment; filename=x").value == "attachment");
}

TEST_CASE("message ids, RFC 5322 §3.6.4") {
  const auto join = [](std::string_view text, std::size_t limit = 100) {
    std::string out;
    for (const auto& id : mail::parse_message_ids(text, limit)) out += id + ";";
    return out;
  };
  CHECK(join("<a@b> text <c@d>\r\n <e@f>") == "a@b;c@d;e@f;");
  CHECK(join("<a\r\n @b>") == "a@b;");
  CHECK(join("<\"x>y\"@b>") == "x>y@b;");
  CHECK(join(std::string_view("<a\0\t@\"\\\0\"b>", 11)) == "a@b;");
  CHECK(join("<>") == "");
  CHECK(join("<a@b") == "a@b;");
  CHECK(join("<a@b> <c@d>", 1) == "a@b;");
  CHECK(join("nothing") == "");
}

TEST_CASE("what is written can be read") {
  struct row { std::string_view why; std::string_view text; };
  const row rows[] = {
      {"ASCII stays", "Hello World"},
      {"one word of several", "Gr\xc3\xbc\xc3\x9f" "e aus K\xc3\xb6ln von Joe"},
      {"a long text", "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
       "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"},
      {"long with few escapes", "a fairly long subject line with a single \xc3\xa4" "nderung that goes on and on until it has to be folded somewhere"},
      {"what looks like a word", "=?utf-8?Q?a?="},
      {"spaces at its ends inside", "\xc3\xa4 \xc3\xb6  x  \xc3\xbc"},
      {"emoji", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80 \xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    for (const auto context : {mail::word_context::text, mail::word_context::phrase}) {
      const auto coded = mail::encode_text(r.text, context);
      CHECK(mail::is_ascii(coded));
      CHECK(mail::decode_text(coded) == r.text);
      std::string field;
      mail::write_header_field(field, "Subject", coded);
      for (std::size_t at = 0, end = 0; (end = field.find("\r\n", at)) != field.npos; at = end + 2) CHECK(end - at <= 78);
      mail::header_block block(field);
      REQUIRE(block.fields().size() == 1);
      CHECK(mail::decode_text(block.value("subject")) == r.text);
    }
  }
  for (std::size_t at = 0; at < 75; ++at) {  // words never exceed 75 octets (§2)
    const auto coded = mail::encode_text(std::string(at, 'a') + "\xf0\x9f\x98\x80" + std::string(90, 'b'));
    for (auto from = coded.find("=?"); from != coded.npos; from = coded.find("=?", coded.find("?=", from + 10) + 2))
      CHECK(coded.find("?=", from + 10) + 2 - from <= 75);
  }
}

TEST_CASE("header fields are written within their bounds") {
  const auto write = [](std::string_view value) {
    std::string out;
    mail::write_header_field(out, "X", value);
    return out;
  };
  CHECK(write("a b") == "X: a b\r\n");
  CHECK(write("") == "X:\r\n");
  CHECK(write("a\r\nBcc: evil") == "X: a Bcc: evil\r\n");
  CHECK(write("a\r\n b") == "X: a b\r\n");
  CHECK(write("a\n\n\rb") == "X: a b\r\n");
  const auto lines = write(std::string(40, 'a') + " " + std::string(40, 'b') + "  " + std::string(40, 'c'));
  CHECK(lines == "X: " + std::string(40, 'a') + "\r\n " + std::string(40, 'b') + "\r\n  " + std::string(40, 'c') + "\r\n");
  const auto longest = write(std::string(5000, 'a'));
  for (std::size_t at = 0, end = 0; (end = longest.find("\r\n", at)) != longest.npos; at = end + 2) CHECK(end - at <= 998);

  for (const std::string_view value : {"x", "a \"b\" \\c", "gr\xc3\xbcn.txt", "",
           "a very long file name that does not fit into a single line of a header field, whatever one does.txt"}) {
    std::string out = "attachment";
    mail::append_parameter(out, "filename", value);
    const auto parsed = mail::parse_content_disposition(out);
    REQUIRE(parsed.find("filename") != nullptr);
    CHECK(*parsed.find("filename") == value);
  }
}

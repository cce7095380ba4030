#include <doctest/doctest.h>

#include "briefwerk/base/limits.hpp"
#include "mail/message_check.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;
using mail::mime_tree;

namespace {

// "multipart/mixed{text/plain:body ...}", lengths in place of bodies of containers.
std::string show(const mime_tree& tree, const mail::mime_part& part) {
  auto out = std::string(tree.type(part)) + '/' + std::string(tree.subtype(part));
  if (part.kind == mail::part_kind::leaf) return out + ':' + std::string(tree.view(part.body));
  out += '{';
  for (const auto* child = tree.first_child(part); child != nullptr; child = tree.next(*child)) {
    if (child != tree.first_child(part)) out += ' ';
    out += show(tree, *child);
  }
  return out + '}';
}

void check(std::string_view raw) {
  test::check_message(raw, [&](const char* what) { FAIL_CHECK(std::string(what)); });
}

}  // namespace

TEST_CASE("the MIME tree, with CRLF and LF, whole and cut") {
  struct row { std::string_view why; std::string_view in; std::string_view out; };
  const row rows[] = {
      {"RFC 2045 §5.2: the default type", "A: b\n\nbody\n", "text/plain:body\n"},
      {"RFC 2045 §5.2: a type that is not valid", "Content-Type: text\n\nx", "text/plain:x"},
      {"header only", "A: b\n", "text/plain:"},
      {"nothing", "", "text/plain:"},
      {"RFC 2046 §5.1.1", "Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\n1\n--b\nContent-Type: text/html\n\n2\n\n--b--\nepi\n",
       "multipart/mixed{text/plain:1 text/html:2\n}"},
      {"boundary at the first line of the body", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b--",
       "multipart/mixed{text/plain:1}"},
      {"§5.1.1: white space behind the boundary", "Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\n1\n--b-- \n",
       "multipart/mixed{text/plain:1}"},
      {"no final boundary", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b\n\n2\n",
       "multipart/mixed{text/plain:1 text/plain:2\n}"},
      {"a body without octets", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n\n\n--b--\n",
       "multipart/mixed{text/plain: text/plain:}"},
      {"a part without the empty line", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b\n\n2\n--b--\n",
       "multipart/mixed{text/html: text/plain:2}"},
      {"quoted boundary with specials", "Content-Type: multipart/mixed;\n boundary=\"a b:c\\\"d\"\n\n--a b:c\"d\n\n1\n--a b:c\"d--\n",
       "multipart/mixed{text/plain:1}"},
      {"RFC 2231 boundary", "Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\n\n--ab\n\n1\n--ab--\n",
       "multipart/mixed{text/plain:1}"},
      {"§5.1.2: the outer boundary ends an inner multipart without end",
       "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\n1\n--o\n\n2\n--o--\n",
       "multipart/mixed{multipart/mixed{text/plain:1} text/plain:2}"},
      {"an inner boundary that begins like the outer one",
       "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\n1\n--bb--\n--b\n\n2\n--b--\n",
       "multipart/mixed{multipart/mixed{text/plain:1} text/plain:2}"},
      {"an outer boundary that begins like the inner one",
       "Content-Type: multipart/mixed; boundary=bb\n\n--bb\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b--\n--bb\n\n2\n--bb--\n",
       "multipart/mixed{multipart/mixed{text/plain:1} text/plain:2}"},
      {"a dash line that is no boundary", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n-- \n--x\n--b--\n",
       "multipart/mixed{text/plain:-- \n--x}"},
      {"a multipart without boundary parameter is text", "Content-Type: multipart/mixed\n\n--b\n\n1\n", "text/plain:--b\n\n1\n"},
      {"a multipart without boundary line is text", "Content-Type: multipart/mixed; boundary=b\n\n1\n", "text/plain:1\n"},
      {"§5.2.1: a message", "Content-Type: message/rfc822\n\nSubject: x\n\nbody\n", "message/rfc822{text/plain:body\n}"},
      {"§5.1.5: the default type in a digest",
       "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: 1\n\nx\n--b\nContent-Type: text/html\n\n2\n--b--\n",
       "multipart/digest{message/rfc822{text/plain:x} text/html:2}"},
      {"a message in base64 is not opened", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQTogYg==\n",
       "application/octet-stream:QTogYg==\n"},
      {"a multipart in a message in a multipart",
       "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\n1\n--i--\n--o\n\n2\n--o--\n",
       "multipart/mixed{message/rfc822{multipart/mixed{text/plain:1}} text/plain:2}"},
      {"nothing is opened behind the final boundary", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--b--\n--b\n\n2\n",
       "multipart/mixed{text/plain:1}"},
      {"the first of two Content-Type fields counts", "Content-Type: text/html\nContent-Type: text/plain\n\nx", "text/html:x"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    test::with_exact_block(r.in, [&](std::string_view text) {
      const mime_tree tree(text);
      CHECK(show(tree, tree.root()) == r.out);
    });
    const auto crlf = test::with_crlf(r.in);
    test::with_exact_block(crlf, [&](std::string_view text) {
      const mime_tree tree(text);
      CHECK(show(tree, tree.root()) == test::with_crlf(r.out));
    });
    test::with_every_cut(r.in, check);
    test::with_every_cut(crlf, check);
  }
}

TEST_CASE("line ends are counted across the steps of the scanner") {
  std::string body;
  std::uint32_t lines = 0;
  for (int i = 0; i < 700; ++i) {
    body += std::string(static_cast<std::size_t>(i % 41), i % 3 == 0 ? '-' : 'x') + "\n";
    ++lines;
    const auto raw = "\n" + body;
    const mime_tree tree(raw);
    REQUIRE(tree.root().body_lines == lines);
  }
  const auto newlines = "\n" + std::string(100000, '\n');
  CHECK(mime_tree(newlines).root().body_lines == 100000);
}

TEST_CASE("depth, parts and header are bounded") {
  std::string deep;
  for (int i = 0; i < 200; ++i) {
    const auto b = "b" + std::to_string(i) + "e";
    deep += "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n";
  }
  check(deep);
  const mime_tree tree(deep);
  CHECK(tree.parts().size() == base::limits::mime_depth + 1);
  CHECK(tree.parts().back().opaque);
  CHECK(tree.is(tree.parts().back(), "application", "octet-stream"));

  std::string nested;
  for (int i = 0; i < 200; ++i) nested += "Content-Type: message/rfc822\n\n";
  check(nested);
  CHECK(mime_tree(nested).parts().size() == base::limits::mime_depth + 1);

  std::string wide = "Content-Type: multipart/mixed; boundary=b\n\n";
  for (int i = 0; i < 5000; ++i) wide += "--b\n\nx\n";
  check(wide);
  const mime_tree many(wide);
  CHECK(many.parts().size() == base::limits::mime_parts);
  CHECK(many.parts().back().opaque);
  CHECK(many.parts().back().body.end() == wide.size());

  std::string fields;
  for (int i = 0; i < 3000; ++i) fields += "A: b\n";
  CHECK(mime_tree(fields).root().header_lines == base::limits::header_fields);
  check(fields);
}

TEST_CASE("sections, RFC 9051 §6.4.5.1") {
  const std::string raw =
      "Content-Type: multipart/mixed; boundary=o\n\n"
      "--o\nX: 1\n\none\n"
      "--o\nContent-Type: message/rfc822\n\nSubject: in\nContent-Type: multipart/mixed; boundary=i\n\n"
      "--i\nX: 2\n\ntwo\n--i\nX: 3\n\nthree\n--i--\n\n"
      "--o\nContent-Type: message/rfc822\n\nSubject: plain\n\nfour\n\n"
      "--o--\n";
  struct row { std::string_view why; std::string_view section; std::string_view out; };
  const row rows[] = {
      {"a part", "1", "one"},
      {"its MIME header", "1.MIME", "X: 1\n\n"},
      {"a message part is the whole message", "3", "Subject: plain\n\nfour\n"},
      {"header of the message inside", "3.HEADER", "Subject: plain\n\n"},
      {"text of the message inside", "3.TEXT", "four\n"},
      {"a message that is no multipart has part 1", "3.1", "four\n"},
      {"a part of the multipart in the message", "2.2", "three"},
      {"its MIME header, in any case", "2.2.mime", "X: 3\n\n"},
      {"no such part", "4", "NIL"},
      {"a leaf has no parts", "1.1", "NIL"},
      {"the one part of a plain message has none either", "3.1.1", "NIL"},
      {"HEADER needs a message", "1.HEADER", "NIL"},
      {"TEXT needs a message", "2.1.TEXT", "NIL"},
      {"no part 0", "0", "malformed"},
      {"MIME needs a part", "MIME", "malformed"},
      {"no end on a dot", "1.", "malformed"},
      {"no such word", "1.BODY", "malformed"},
  };
  const mime_tree tree(raw);
  for (const auto& r : rows) {
    CAPTURE(r.why);
    const auto section = mail::parse_section(r.section);
    if (!section) {
      CHECK(r.out == "malformed");
      continue;
    }
    const auto range = mail::find_section(tree, *section);
    CHECK((range ? tree.view(*range) : "NIL") == r.out);
    test::with_every_cut(r.section, [](std::string_view text) { (void)mail::parse_section(text); });
  }
  const auto find = [&](std::string_view text) { return mail::find_section(tree, *mail::parse_section(text)); };
  CHECK(tree.view(*find("")) == raw);
  CHECK(tree.view(*find("HEADER")) == raw.substr(0, 43));
  CHECK(tree.view(*find("TEXT")) == raw.substr(43));
  CHECK(tree.view(*find("2.TEXT")).starts_with("--i\n"));
  CHECK(mail::parse_section("1.header.fields")->item == mail::section_item::header_fields);

  const mime_tree plain("A: b\n\nx");
  CHECK(plain.view(*mail::find_section(plain, *mail::parse_section("1"))) == "x");
  CHECK_FALSE(mail::find_section(plain, *mail::parse_section("2")));
  CHECK_FALSE(mail::find_section(plain, *mail::parse_section("1.1")));

  std::string endless = "1";
  for (int i = 0; i < 1000; ++i) endless += ".1";
  CHECK(mail::parse_section(endless).error() == base::errc::limit_exceeded);
}

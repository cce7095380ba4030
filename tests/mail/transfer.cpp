#include <doctest/doctest.h>

#include "briefwerk/mail/transfer.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;
using mail::transfer_encoding;

namespace {

// The same in two pieces, cut at every octet, from exactly sized blocks.
void check_pieces(transfer_encoding encoding, std::string_view in, std::string_view expected) {
  for (std::size_t cut = 0; cut <= in.size(); ++cut) {
    mail::transfer_decoder decoder(encoding);
    std::string out;
    test::with_exact_block(in.substr(0, cut), [&](std::string_view text) { decoder.append(out, text); });
    test::with_exact_block(in.substr(cut), [&](std::string_view text) { decoder.append(out, text); });
    decoder.finish(out);
    REQUIRE(out == expected);
  }
}

}  // namespace

TEST_CASE("base64 is decoded with patience") {
  struct row { std::string_view why; std::string_view in; std::string_view out; };
  const row rows[] = {
      {"RFC 4648 §10", "Zm9vYmFy", "foobar"},
      {"RFC 4648 §10, padded", "Zm9vYg==", "foob"},
      {"RFC 4648 §10, padded", "Zm9vYmE=", "fooba"},
      {"RFC 2045 §6.8: line ends are skipped", "Zm9v\r\nYmFy\r\n", "foobar"},
      {"RFC 2045 §6.8: other characters are skipped", "Zm 9v-Y!m\x80" "Fy", "foobar"},
      {"missing padding", "Zm9vYg", "foob"},
      {"a single sextet left gives nothing", "Zm9vY", "foo"},
      {"joined texts", "Zg==Zm8=Zm9v", "ffofoo"},
      {"only padding", "====", ""},
      {"nothing", "", ""},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    CHECK(mail::decode_base64(r.in) == r.out);
    check_pieces(transfer_encoding::base64, r.in, r.out);
  }
}

TEST_CASE("quoted-printable is decoded with patience") {
  struct row { std::string_view why; std::string_view in; std::string_view out; };
  const row rows[] = {
      {"RFC 2045 §6.7 (1)", "a=3Db=C3=BC", "a=b\xc3\xbc"},
      {"§6.7 (1): lower case is forgiven", "=c3=bc", "\xc3\xbc"},
      {"§6.7 (3): white space at line ends goes", "a  \r\nb\t\r\n", "a\r\nb\r\n"},
      {"§6.7 (5): soft line end", "Now's the time =\r\nfor all", "Now's the time for all"},
      {"soft line end followed by white space", "a= \t\r\nb", "ab"},
      {"bare LF", "a=\nb\nc", "ab\nc"},
      {"§6.7 note: what is no escape stays", "a=XYb=4", "a=XYb=4"},
      {"soft line end at the end", "ab=", "ab"},
      {"nothing", "", ""},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    CHECK(mail::decode_quoted_printable(r.in) == r.out);
    check_pieces(transfer_encoding::quoted_printable, r.in, r.out);
  }
  // A line without end is not held back for ever, nor is an escape torn.
  std::string endless;
  for (int i = 0; i < 20000; ++i) endless += "=3D";
  mail::transfer_decoder decoder(transfer_encoding::quoted_printable);
  std::string out;
  for (std::size_t i = 0; i < endless.size(); i += 7) decoder.append(out, std::string_view(endless).substr(i, 7));
  CHECK(out.size() > 15000);
  decoder.finish(out);
  CHECK(out == std::string(20000, '='));
}

TEST_CASE("decoding stops at its bound") {
  for (const auto encoding : {transfer_encoding::base64, transfer_encoding::quoted_printable, transfer_encoding::binary}) {
    const std::string text = mail::encode_base64_lines(std::string(1000, 'x'));
    CHECK(mail::decode_body(encoding, text, 10).size() == 10);
    CHECK(mail::decode_body(encoding, text, 0).empty());
    mail::transfer_decoder decoder(encoding, 100);
    std::string out;
    CHECK_FALSE(decoder.append(out, text));
    decoder.append(out, text);
    decoder.finish(out);
    CHECK(out.size() == 100);
  }
}

TEST_CASE("what is encoded comes back") {
  std::uint32_t random = 7;
  for (std::size_t size = 0; size < 300; ++size) {
    std::string octets;
    for (std::size_t i = 0; i < size; ++i) octets += static_cast<char>((random = random * 1664525u + 1013904223u) >> 24);
    const auto base64 = mail::encode_base64_lines(octets);
    CHECK(mail::decode_base64(base64) == octets);
    std::string text;
    for (const char c : octets) text += c == '\n' || c == '\r' ? 'x' : c;
    text += size % 3 == 0 ? "\r\n \r\nend " : "\t";
    const auto quoted = mail::encode_quoted_printable(text);
    CHECK(mail::decode_quoted_printable(quoted) == text);
    for (const auto* coded : {&base64, &quoted}) {
      std::size_t column = 0;
      for (const char c : *coded) {
        column = c == '\n' ? 0 : column + 1;
        REQUIRE(column <= 77);  // 76 and CR
        REQUIRE((c & '\x80') == 0);
      }
    }
  }
  CHECK(mail::encode_base64_lines("f") == "Zg==\r\n");
  CHECK(mail::encode_quoted_printable("a=b \r\nc\xfc\n") == "a=3Db=20\r\nc=FC\r\n");
}

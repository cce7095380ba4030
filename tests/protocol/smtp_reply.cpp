#include "briefwerk/protocol/smtp/reply.hpp"

#include <doctest/doctest.h>

#include "briefwerk/base/limits.hpp"

using namespace briefwerk::protocol::smtp;
namespace limits = briefwerk::base::limits;

namespace {

std::string wire(const reply& value, bool utf8 = false) {
  std::string out;
  append_reply(out, value, utf8);
  return out;
}

// Every reply in the input, or "malformed" at the end.
std::string parse_all(std::initializer_list<std::string_view> pieces) {
  reply_parser parser;
  std::string out;
  for (auto piece : pieces) {
    auto block = std::make_unique<char[]>(piece.size());
    piece.copy(block.get(), piece.size());
    std::string_view rest(block.get(), piece.size());
    while (!rest.empty()) {
      const auto used = parser.feed(rest);
      if (!used) return out + (used.error() == briefwerk::base::errc::malformed ? "malformed" : "limit");
      rest.remove_prefix(*used);
      if (parser.complete()) out += parser.take().to_string() + "\n";
    }
  }
  return out;
}

}  // namespace

TEST_CASE("replies on the wire") {
  CHECK(wire(replies::ok) == "250 2.0.0 OK\r\n");
  CHECK(wire(replies::start_data) == "354 End data with <CRLF>.<CRLF>\r\n");
  CHECK(wire({550, {5, 7, 1}, std::string("one\ntwo\n")}) == "550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 \r\n");
  CHECK(wire({250, {}, ""}) == "250 \r\n");
  // Nothing in a text adds a line or a control character.
  CHECK(wire({550, {5, 1, 1}, std::string("no\r\x01 caf\xc3\xa9")}) == "550 5.1.1 no?? caf??\r\n");
  CHECK(wire({550, {5, 1, 1}, std::string("caf\xc3\xa9")}, true) == "550 5.1.1 caf\xc3\xa9\r\n");
}

TEST_CASE("RFC 5321 §4.5.3.1.5: reply lines have at most 512 octets") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "word" + std::to_string(i) + " ";
  for (const auto& long_text : {text, std::string(3000, 'x')}) {
    std::string joined;
    const std::string out = wire({550, {5, 7, 1}, long_text});
    for (std::string_view rest = out; !rest.empty();) {
      const auto line = rest.substr(0, rest.find("\r\n"));
      CHECK(line.size() + 2 <= limits::smtp_reply_line);
      CHECK(line.starts_with(rest.size() == line.size() + 2 ? "550 5.7.1 " : "550-5.7.1 "));
      joined += line.substr(10);
      rest.remove_prefix(line.size() + 2);
    }
    CHECK(joined == long_text);
  }
}

TEST_CASE("the client's reply parser") {
  struct row {
    const char* why;
    std::string_view in;
    std::string_view out;
  };
  const row rows[] = {
      {"one line", "250 OK\r\n", "250 OK\n"},
      {"RFC 5321 §4.2 no text", "250\r\n", "250 \n"},
      {"RFC 2034 §4 enhanced code", "550 5.1.1 no user\r\n", "550 5.1.1 no user\n"},
      {"an enhanced code of another class is text", "550 2.1.1 no user\r\n", "550 2.1.1 no user\n"},
      {"several lines", "250-a\r\n250-b\r\n250 c\r\n", "250 a / b / c\n"},
      {"enhanced code on each line", "250-2.0.0 a\r\n250 2.0.0 b\r\n", "250 2.0.0 a / b\n"},
      {"two replies", "250 a\r\n354 b\r\n", "250 a\n354 b\n"},
      {"LF alone is taken from servers", "250 a\n", "250 a\n"},
      {"RFC 5321 §4.2.1 codes differ", "250-a\r\n251 b\r\n", "malformed"},
      {"no code", "hello\r\n", "malformed"},
      {"code of no class", "150 a\r\n", "malformed"},
      {"code runs on", "2500 a\r\n", "malformed"},
      {"empty line", "\r\n", "malformed"},
      {"three digits at least", "25\r\n", "malformed"},
  };
  for (const auto& row : rows) {
    INFO(std::string(row.why));
    for (std::size_t cut = 0; cut <= row.in.size(); ++cut)
      CHECK(parse_all({row.in.substr(0, cut), row.in.substr(cut)}) == row.out);
  }
}

TEST_CASE("the reply parser is bounded") {
  std::string many;
  for (std::size_t i = 0; i <= limits::smtp_reply_lines; ++i) many += "250-x\r\n";
  CHECK(parse_all({many}) == "limit");
  const std::string long_line = "250 " + std::string(100000, 'x') + "\r\n";
  CHECK(parse_all({long_line}).size() <= limits::smtp_reply_line + 1);
}

TEST_CASE("RFC 3463 §2: enhanced codes") {
  std::size_t length = 0;
  CHECK(enhanced_code::parse_prefix("5.7.1 x", length) == enhanced_code{5, 7, 1});
  CHECK(length == 5);
  CHECK(enhanced_code::parse_prefix("4.100.999", length) == enhanced_code{4, 100, 999});
  for (const char* bad : {"", "5", "5.", "5.7", "5.7.", "3.1.1", "5.07.1", "5.7.1000", "5.7.1x", "5.7.1."})
    CHECK(!enhanced_code::parse_prefix(bad, length));
}

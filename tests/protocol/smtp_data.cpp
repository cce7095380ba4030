#include "briefwerk/protocol/smtp/data_decoder.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <random>

#include "protocol/smtp/line_scan.hpp"

using namespace briefwerk::protocol::smtp;

namespace {

struct decoded {
  std::string text;
  std::size_t used = 0;
  bool end = false;
  bool bare = false;
  bool operator==(const decoded&) const = default;
};

// Feeds the pieces from exactly sized blocks.
decoded decode(std::initializer_list<std::string_view> pieces) {
  data_decoder decoder;
  decoded out;
  for (const auto piece : pieces) {
    auto block = std::make_unique<char[]>(piece.size());
    piece.copy(block.get(), piece.size());
    std::string_view rest(block.get(), piece.size());
    while (!rest.empty() && !out.end) {
      const auto got = decoder.next(rest);
      out.text += got.text;
      out.used += got.consumed;
      out.end = got.end;
      rest.remove_prefix(got.consumed);
    }
  }
  out.bare = decoder.has_bare_line_end();
  return out;
}

std::string encode(std::initializer_list<std::string_view> pieces) {
  data_encoder encoder;
  std::string out;
  for (const auto piece : pieces) {
    auto block = std::make_unique<char[]>(piece.size());
    piece.copy(block.get(), piece.size());
    std::string_view rest(block.get(), piece.size());
    while (!rest.empty()) {
      const auto got = encoder.next(rest);
      out += got.wire;
      rest.remove_prefix(got.consumed);
    }
  }
  out += encoder.finish();
  return out;
}

// One octet at a time, the obvious way.
std::size_t slow_scan(const std::string& text, bool nul) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    const char c = text[i];
    const char before = text[i - 1];
    if ((c == '\n') != (before == '\r') || (c == '.' && before == '\n') || (nul && c == '\0')) return i - 1;
  }
  return text.size() - 1;
}

}  // namespace

TEST_CASE("DATA: dots, ends, line ends") {
  struct row {
    const char* why;
    std::string in;
    std::string text;
    bool end;
    bool bare;
    std::size_t left = 0;
  };
  const row rows[] = {
      {"RFC 5321 §4.1.1.4 empty message", ".\r\n", "", true, false},
      {"ordinary end", "a\r\n.\r\n", "a\r\n", true, false},
      {"what follows the end are commands", "a\r\n.\r\nQUIT\r\n", "a\r\n", true, false, 6},
      {"RFC 5321 §4.5.2 a stuffed dot is taken out", "..\r\n.\r\n", ".\r\n", true, false},
      {"RFC 5321 §4.5.2 any text after the dot", ".a\r\n..b\r\n.\r\n", "a\r\n.b\r\n", true, false},
      {"a dot inside a line stays", "a.b.\r\n.\r\n", "a.b.\r\n", true, false},
      {"the first line may be the end", "\r\n.\r\n", "\r\n", true, false},
      {"no end yet", "a\r\n.", "a\r\n", false, false},
      {"the CR behind the dot is held back", "a\r\n.\r", "a\r\n", false, false},
      {"RFC 5321 §2.3.8 bare LF", "a\nb\r\n.\r\n", "a\nb\r\n", true, true},
      {"RFC 5321 §2.3.8 bare CR", "a\rb\r\n.\r\n", "a\rb\r\n", true, true},
      {"LF.LF ends nothing", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", true, true},
      {"LF.CRLF ends nothing, its dot stays", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", true, true},
      {"CRLF.LF ends nothing", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", true, true},
      {"CRLF.CR ends nothing", "a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", true, true},
      {"CRLF.CR.CRLF ends nothing", "a\r\n.\r.\r\nb\r\n.\r\n", "a\r\n\r.\r\nb\r\n", true, true},
      {"CRLF.CRCRLF ends nothing", "a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n", true, true},
      {"CR.CRLF ends nothing", "a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", true, true},
      {"CRCRLF: the first CR is bare", "a\r\r\n.\r\n", "a\r\r\n", true, true},
      {"a bare LF first of all", "\n.\r\n\r\n.\r\n", "\n.\r\n\r\n", true, true},
      {"NUL is text", std::string("a\r\n\0.\r\n.\r\n", 10), std::string("a\r\n\0.\r\n", 7), true, false},
  };
  for (const auto& row : rows) {
    INFO(std::string(row.why));
    const auto whole = decode({row.in});
    CHECK(whole.text == row.text);
    CHECK(whole.end == row.end);
    CHECK(whole.bare == row.bare);
    CHECK(row.in.size() - whole.used == row.left);
    for (std::size_t cut = 0; cut <= row.in.size(); ++cut) {
      const std::string_view in = row.in;
      CHECK(decode({in.substr(0, cut), in.substr(cut)}) == whole);
      for (std::size_t second = cut; second <= in.size(); ++second)
        CHECK(decode({in.substr(0, cut), in.substr(cut, second - cut), in.substr(second)}) == whole);
    }
  }
}

TEST_CASE("DATA: long runs come in one piece") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "The quick brown fox jumps over the lazy dog, again and again and again.\r\n";
  data_decoder decoder;
  const std::string wire = text + ".\r\n";
  const auto got = decoder.next(wire);
  CHECK(got.text.data() == wire.data());
  CHECK(got.text == text);
  CHECK(got.end);
}

TEST_CASE("the vector scan finds what the slow one finds") {
  std::mt19937 random(7);
  const char alphabet[] = {'\r', '\n', '.', 'a', '\0', 'b', 'c', 'd'};
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    const std::size_t size = 1 + random() % 400;
    const unsigned rare = 1 + random() % 200;
    while (text.size() < size) {
      if (random() % rare == 0) text += alphabet[random() % sizeof alphabet];
      else text += random() % 40 == 0 ? "\r\n" : "x";
    }
    auto block = std::make_unique<char[]>(text.size());
    std::memcpy(block.get(), text.data(), text.size());
    REQUIRE(find_irregular(block.get() + 1, text.size() - 1) == slow_scan(text, false));
    REQUIRE(find_irregular_or_nul(block.get() + 1, text.size() - 1) == slow_scan(text, true));
  }
}

TEST_CASE("random messages: decoding undoes encoding, cut anywhere") {
  std::mt19937 random(11);
  const char* parts[] = {"\r\n", ".", "..", "a", "text of a line", "\r\n.", "\r\n..\r\n", "\r\n.\r\n"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (unsigned i = random() % 12; i > 0; --i) text += parts[random() % std::size(parts)];
    if (!text.empty() && !text.ends_with("\r\n")) text += "\r\n";
    const std::size_t cut = random() % (text.size() + 1);
    const std::string_view view = text;
    const std::string wire = encode({view.substr(0, cut), view.substr(cut)});
    CHECK(wire == encode({view}));
    const std::size_t at = random() % (wire.size() + 1);
    const auto back = decode({std::string_view(wire).substr(0, at), std::string_view(wire).substr(at)});
    CHECK(back == decoded{text, wire.size(), true, false});
  }
}

TEST_CASE("the client's encoder") {
  struct row {
    const char* why;
    std::string in;
    std::string wire;
  };
  const row rows[] = {
      {"empty message", "", ".\r\n"},
      {"RFC 5321 §4.5.2 stuffing", ".a\r\n.\r\n", "..a\r\n..\r\n.\r\n"},
      {"a line without end is completed", "a", "a\r\n.\r\n"},
      {"a message that ends in CR", "a\r", "a\r\n.\r\n"},
      {"RFC 5321 §2.3.8 bare LF becomes CRLF, and a dot behind it is stuffed", "a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"},
      {"bare CR becomes CRLF, and a dot behind it is stuffed", "a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"},
      {"CRCRLF", "a\r\r\nb\r\n", "a\r\n\r\nb\r\n.\r\n"},
      {"RFC 5322 §4 NUL is not generated", std::string("a\0b\r\n\0.\r\n", 9), "ab\r\n..\r\n.\r\n"},
  };
  for (const auto& row : rows) {
    INFO(std::string(row.why));
    for (std::size_t cut = 0; cut <= row.in.size(); ++cut) {
      const std::string_view in = row.in;
      CHECK(encode({in.substr(0, cut), in.substr(cut)}) == row.wire);
    }
  }
}

TEST_CASE("BDAT: line ends are checked across chunks") {
  struct row {
    const char* why;
    std::string_view in;
    bool bare;
  };
  const row rows[] = {
      {"nothing", "", false},           {"text", "a\r\n.\r\nb\r\n.x", false},
      {"RFC 3030 §2 bare LF", "a\nb", true}, {"first octet", "\n", true},
      {"bare CR", "a\rb", true},        {"a CR at the end", "a\r\nb\r", true},
      {"CRCRLF", "a\r\r\n", true},
  };
  for (const auto& row : rows) {
    INFO(std::string(row.why));
    for (std::size_t cut = 0; cut <= row.in.size(); ++cut) {
      data_decoder decoder;
      decoder.check_lines(row.in.substr(0, cut));
      decoder.check_lines(row.in.substr(cut));
      decoder.finish_lines();
      CHECK(decoder.has_bare_line_end() == row.bare);
    }
  }
}

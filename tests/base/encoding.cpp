#include "briefwerk/base/encoding.hpp"

#include <doctest/doctest.h>

#include "briefwerk/base/random_id.hpp"

using namespace briefwerk::base;
using namespace std::string_view_literals;

TEST_CASE("base64: RFC 4648 §10") {
  struct row { std::string_view octets, text; };
  const row rows[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
                      {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe"sv, "+//+"}};
  for (const row& r : rows) {
    CHECK(base64_encode(r.octets) == r.text);
    const auto back = base64_decode(r.text);
    REQUIRE(back);
    CHECK(*back == r.octets);
  }
}

TEST_CASE("base64: what is refused") {
  struct row { const char* why; std::string_view text; };
  const row rows[] = {
      {"no padding", "Zg"}, {"half the padding", "Zg="}, {"one character", "Z"}, {"only padding", "===="},
      {"padding inside", "Zg==Zg=="}, {"padding before data", "Z=g="}, {"three paddings", "Z==="},
      {"bits that no octet takes, one octet", "Zh=="}, {"bits that no octet takes, two octets", "Zm9="},
      {"line end", "Zm9v\r\n"}, {"space", "Zm 9"}, {"URL alphabet", "-__-"}, {"eight bits", "Zm9\xff"sv},
      {"NUL", "Zm9\0"sv}, {"wrong character in an early group", "Z!9vZm9v"}};
  for (const row& r : rows) CHECK_MESSAGE(!base64_decode(r.text), r.why);
}

TEST_CASE("base64: every length and every octet there and back, cut texts refused") {
  std::string octets;
  for (int i = 0; i < 700; ++i) {
    const std::string text = base64_encode(octets);
    REQUIRE(text.size() == (octets.size() + 2) / 3 * 4);
    // From a block of exactly the text's size.
    const std::vector<char> exact(text.begin(), text.end());
    const auto back = base64_decode({exact.data(), exact.size()});
    REQUIRE(back);
    REQUIRE(*back == octets);
    if (!text.empty()) REQUIRE(!base64_decode({exact.data(), exact.size() - 1}));
    octets += static_cast<char>(i * 37 + i / 256);
  }
}

TEST_CASE("base64url has no padding and its own two characters") {
  CHECK(base64url_encode("\xfb\xff\xfe"sv) == "-__-");
  CHECK(base64url_encode("f") == "Zg");
  CHECK(base64url_encode("") == "");
}

TEST_CASE("hexadecimal") {
  CHECK(hex_encode("\x00\xff\x1a"sv) == "00ff1a");
  CHECK(hex_decode("00FF1a").value() == "\x00\xff\x1a"sv);
  CHECK(hex_decode("").value() == "");
  for (const auto wrong : {"0"sv, "0g"sv, "g0"sv, "0x"sv, " 0"sv}) CHECK(!hex_decode(wrong));
}

TEST_CASE("constant-time comparison compares") {
  CHECK(equal_in_constant_time("", ""));
  CHECK(equal_in_constant_time("abc", "abc"));
  CHECK(!equal_in_constant_time("abc", "abd"));
  CHECK(!equal_in_constant_time("abc", "bbc"));
  CHECK(!equal_in_constant_time("abc", "ab"));
  CHECK(!equal_in_constant_time("", "a"));
}

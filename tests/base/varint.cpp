#include "briefwerk/base/varint.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace briefwerk;
using namespace std::literals;

TEST_CASE("varint: numbers, written and read, whole and cut at every octet") {
  struct row {
    const char* why;
    std::uint64_t value;
    std::string_view octets;
  };
  const row rows[] = {
      {"the least", 0, "\0"sv},
      {"the last of one octet", 127, "\x7f"},
      {"the first of two", 128, "\x80\x01"},
      {"the least group stands first", 0x3fff, "\xff\x7f"},
      {"the first of three", 0x4000, "\x80\x80\x01"},
      {"of nine octets", (std::uint64_t{1} << 63) - 1, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"},
      {"the first of ten", std::uint64_t{1} << 63, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"},
      {"the most", UINT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    std::string written = "x";
    base::append_varint(written, r.value);
    CHECK(written == "x" + std::string(r.octets));
    const std::vector<char> exact(r.octets.begin(), r.octets.end());
    base::varint_reader whole(std::string_view(exact.data(), exact.size()));
    CHECK(whole.number() == r.value);
    CHECK(whole.good());
    CHECK(whole.at_end());
    for (std::size_t cut = 0; cut < r.octets.size(); ++cut) {
      const std::vector<char> less(r.octets.begin(), r.octets.begin() + static_cast<std::ptrdiff_t>(cut));
      base::varint_reader in(std::string_view(less.data(), less.size()));
      CHECK(in.number() == 0);
      CHECK_FALSE(in.good());
    }
  }
}

TEST_CASE("varint: what is no number") {
  struct row {
    const char* why;
    std::string_view octets;
  };
  const row rows[] = {
      {"65 bits", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"},
      {"a bit of the 71st on", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x41"},
      {"eleven octets", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"},
      {"the tenth octet goes on", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x81\x00"sv},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    base::varint_reader in(r.octets);
    CHECK(in.number() == 0);
    CHECK_FALSE(in.good());
    // Nothing more comes of it.
    CHECK(in.at_end());
    CHECK(in.text().empty());
    CHECK_FALSE(in.good());
  }
  base::varint_reader padded("\x80\x00"sv);
  CHECK(padded.number() == 0);
  CHECK(padded.good());
}

TEST_CASE("varint: texts behind their length") {
  std::string octets;
  base::append_varint_text(octets, "");
  base::append_varint_text(octets, "nul\0inside"sv);
  const std::string longer(300, 'y');
  base::append_varint_text(octets, longer);
  CHECK(octets.size() == 1 + 1 + 10 + 2 + 300);
  base::varint_reader in(octets);
  CHECK(in.text().empty());
  CHECK(in.text() == "nul\0inside"sv);
  CHECK(in.rest().size() == 302);
  CHECK(in.text() == longer);
  CHECK(in.good());
  CHECK(in.at_end());
  for (const std::string_view cut : {"\x04" "abc"sv, "\x80"sv, ""sv, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" "abc"sv}) {
    base::varint_reader short_one(cut);
    CHECK(short_one.text().empty());
    CHECK_FALSE(short_one.good());
  }
}

TEST_CASE("varint: signed numbers, short near zero") {
  struct row {
    std::int64_t value;
    std::uint64_t coded;
  };
  const row rows[] = {{0, 0}, {-1, 1}, {1, 2}, {-2, 3}, {INT64_MAX, UINT64_MAX - 1}, {INT64_MIN, UINT64_MAX}};
  for (const row& r : rows) {
    CAPTURE(r.value);
    CHECK(base::zigzag(r.value) == r.coded);
    CHECK(base::unzigzag(r.coded) == r.value);
  }
}

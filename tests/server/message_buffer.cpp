#include "briefwerk/server/message_buffer.hpp"

#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <utility>

#include "net/support.hpp"

using briefwerk::server::message_buffer;
namespace base = briefwerk::base;
using briefwerk::net::testing::temporary_folder;

namespace {

std::string pattern(std::size_t size, unsigned seed) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>((i * 131 + seed) >> 3);
  return out;
}

}  // namespace

TEST_CASE("message_buffer: what is appended in any pieces is there, in memory, across the bound, in the file") {
  const std::size_t in_memory = 20000;
  for (const std::size_t total : {std::size_t(0), std::size_t(1), std::size_t(8192), in_memory - 1, in_memory, in_memory + 1,
                                  std::size_t(70000), std::size_t(3000000)}) {
    for (const std::size_t piece : {std::size_t(1000), std::size_t(16384), std::size_t(100000)}) {
      CAPTURE(total);
      CAPTURE(piece);
      const std::string wanted = pattern(total, 7);
      message_buffer buffer({.in_memory = in_memory});
      for (std::size_t at = 0; at < total; at += piece) {
        REQUIRE(buffer.append(std::string_view(wanted).substr(at, piece)).has_value());
      }
      CHECK(buffer.size() == total);
      CHECK(buffer.view() == wanted);
    }
  }
}

TEST_CASE("message_buffer: prepend with room and without, in memory and in the file") {
  for (const std::size_t total : {std::size_t(0), std::size_t(500), std::size_t(50000)}) {
    for (const std::size_t front : {std::size_t(0), std::size_t(10), std::size_t(2048), std::size_t(2049), std::size_t(30000)}) {
      CAPTURE(total);
      CAPTURE(front);
      message_buffer buffer({.in_memory = 20000});
      std::string wanted = pattern(total, 3);
      REQUIRE(buffer.append(wanted).has_value());
      const std::string fields = pattern(front, 5);
      REQUIRE(buffer.prepend(fields).has_value());
      REQUIRE(buffer.prepend("twice").has_value());
      REQUIRE(buffer.append("end").has_value());
      CHECK(buffer.view() == "twice" + fields + wanted + "end");
    }
  }
}

TEST_CASE("message_buffer: erase takes out what it is told to, and no more than there is") {
  struct row {
    const char* why;
    std::size_t offset, length;
    std::string_view left;
  };
  const row rows[] = {
      {"front", 0, 3, "defghij"}, {"middle", 3, 4, "abchij"},  {"end", 8, 2, "abcdefgh"}, {"nothing", 5, 0, "abcdefghij"},
      {"all", 0, 10, ""},         {"too much", 7, 99, "abcdefg"}, {"behind the end", 20, 5, "abcdefghij"},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    message_buffer buffer;
    REQUIRE(buffer.append("abcdefghij").has_value());
    buffer.erase(one.offset, one.length);
    CHECK(buffer.view() == one.left);
    REQUIRE(buffer.prepend(">").has_value());
    CHECK(buffer.view() == ">" + std::string(one.left));
  }
  message_buffer empty;
  empty.erase(0, 5);
  CHECK(empty.size() == 0);
}

TEST_CASE("message_buffer: clear keeps memory up to the bound and gives a file back") {
  message_buffer buffer({.in_memory = 20000});
  for (const std::size_t size : {std::size_t(100), std::size_t(60000), std::size_t(100)}) {
    const std::string text = pattern(size, 1);
    REQUIRE(buffer.append(text).has_value());
    REQUIRE(buffer.prepend("front").has_value());
    CHECK(buffer.view() == "front" + text);
    buffer.clear(64 * 1024);
    CHECK(buffer.size() == 0);
  }
}

TEST_CASE("message_buffer: moved from, it is empty and still knows where its files go") {
  temporary_folder folder;
  const message_buffer::options how{.in_memory = 10000, .directory = folder / "absent"};
  message_buffer buffer(how);
  REQUIRE(buffer.append("x").has_value());
  message_buffer taken(std::move(buffer));
  CHECK(taken.view() == "x");
  CHECK(buffer.size() == 0);
  // The folder does not exist: a buffer that had fallen back to another one would succeed.
  CHECK(buffer.append(pattern(50000, 1)).error() == base::errc::no_space);
  message_buffer other;
  other = std::move(taken);
  CHECK(other.view() == "x");
}

TEST_CASE("message_buffer: no space is an error, and what was held is still there") {
  temporary_folder folder;
  message_buffer buffer({.in_memory = 10000, .directory = folder / "."});
  const std::string held = pattern(9000, 9);
  REQUIRE(buffer.append(held).has_value());

  struct ::rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, SIG_IGN);
  const struct ::rlimit small {100000, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto too_much = buffer.append(pattern(200000, 2));
  CHECK(buffer.view() == held);
  const auto fits = buffer.append(pattern(30000, 2));      // now in the file
  const auto in_file = buffer.append(pattern(200000, 2));  // which cannot grow so far
  const auto in_front = buffer.prepend(pattern(200000, 2));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  REQUIRE_FALSE(too_much.has_value());
  CHECK(too_much.error() == base::errc::no_space);
  CHECK(fits.has_value());
  CHECK(in_file.error() == base::errc::no_space);
  CHECK(in_front.error() == base::errc::no_space);
  CHECK(buffer.view() == held + pattern(30000, 2));
  CHECK(std::filesystem::is_empty(folder / "."));  // the file has no name
}

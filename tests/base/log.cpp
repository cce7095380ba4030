#include "briefwerk/base/log.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "briefwerk/base/limits.hpp"

using namespace briefwerk::base;
using namespace std::string_view_literals;

namespace {

class scratch {
 public:
  scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "briefwerk-log-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~scratch() { std::filesystem::remove_all(folder_); }
  std::string path(const char* name = "log") const { return folder_ + "/" + name; }
  std::string read(const char* name = "log") const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::string folder_;
};

// 2026-03-01 12:34:56.007 UTC
const manual_clock noon(wall_time(std::chrono::sys_days(std::chrono::year(2026) / 3 / 1) + std::chrono::hours(12) +
                                  std::chrono::minutes(34) + std::chrono::seconds(56) + std::chrono::milliseconds(7)));

std::string one_line(log_format format, std::initializer_list<log_field> fields) {
  scratch here;
  {
    auto log = open_log(here.path(), format, log_level::info, noon);
    REQUIRE(log);
    (*log)->log(log_level::info, "smtp.session.begin", fields);
  }
  return here.read();
}

}  // namespace

TEST_CASE("text lines") {
  const std::string head = "2026-03-01T12:34:56.007Z info smtp.session.begin";
  CHECK(one_line(log_format::text, {}) == head + "\n");
  CHECK(one_line(log_format::text, {{"peer", "192.0.2.1"}, {"size", 4096}, {"tls", true}, {"delta", -5}}) ==
        head + " peer=192.0.2.1 size=4096 tls=true delta=-5\n");
  struct row { const char* why; std::string_view value, text; };
  const row rows[] = {
      {"empty", "", "\"\""},
      {"space", "a b", "\"a b\""},
      {"quote and backslash", "a\"\\b", "\"a\\\"\\\\b\""},
      {"equals sign would look like a key", "a=b", "\"a=b\""},
      {"line ends cannot begin a line", "a\r\nb\tc", "\"a\\r\\nb\\tc\""},
      {"NUL, escape, delete", "\0\x1b\x7f"sv, "\"\\x00\\x1b\\x7f\""},
      {"UTF-8 stays", "gr\xc3\xbc\xc3\x9f" "e@example.org", "\"gr\xc3\xbc\xc3\x9f" "e@example.org\""},
      {"octets that are no UTF-8", "\xff\xc3", "\"\\xff\\xc3\""},
      {"overlong", "\xc0\xaf", "\"\\xc0\\xaf\""},
      {"surrogate", "\xed\xa0\x80", "\"\\xed\\xa0\\x80\""},
      {"C1 control", "\xc2\x9b" "31m", "\"\\xc2\\x9b31m\""},
      {"line separator", "\xe2\x80\xa8", "\"\\xe2\\x80\\xa8\""},
      {"four octets", "\xf0\x9f\x93\xa7", "\"\xf0\x9f\x93\xa7\""},
      {"past Unicode", "\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\""},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(one_line(log_format::text, {{"v", r.value}}) == head + " v=" + std::string(r.text) + "\n");
  }
}

TEST_CASE("JSON lines") {
  const std::string head =
      "{\"time\":\"2026-03-01T12:34:56.007Z\",\"level\":\"info\",\"event\":\"smtp.session.begin\"";
  CHECK(one_line(log_format::json, {}) == head + "}\n");
  CHECK(one_line(log_format::json, {{"peer", "192.0.2.1"}, {"size", 4096}, {"tls", false}}) ==
        head + ",\"peer\":\"192.0.2.1\",\"size\":4096,\"tls\":false}\n");
  struct row { const char* why; std::string_view value, text; };
  const row rows[] = {
      {"RFC 8259 §7 must escape", "\"\\\x01\n", "\\\"\\\\\\u0001\\n"},
      {"delete", "\x7f", "\\u007f"},
      {"UTF-8 stays", "gr\xc3\xbcn", "gr\xc3\xbcn"},
      {"no UTF-8: the line stays valid JSON", "a\xff", "a\xef\xbf\xbd"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(one_line(log_format::json, {{"v", r.value}}) == head + ",\"v\":\"" + std::string(r.text) + "\"}\n");
  }
}

TEST_CASE("long values are cut") {
  const std::string line = one_line(log_format::text, {{"v", std::string(limits::log_value + 1, 'x')}});
  CHECK(line.ends_with("xxx...\"\n"));
  CHECK(line.size() < limits::log_value + 100);
}

TEST_CASE("levels below the least are not written") {
  scratch here;
  auto log = open_log(here.path(), log_format::text, log_level::warning, noon);
  REQUIRE(log);
  (*log)->log(log_level::info, "quiet", {});
  (*log)->log(log_level::error, "loud", {});
  CHECK(here.read() == "2026-03-01T12:34:56.007Z error loud\n");
  CHECK(!(*log)->enabled(log_level::debug));
  CHECK(!null_log().enabled(log_level::error));
}

TEST_CASE("reopen after the file was moved away; writers go on meanwhile") {
  scratch here;
  auto log = open_log(here.path(), log_format::text, log_level::info, noon);
  REQUIRE(log);
  (*log)->log(log_level::info, "before", {});
  std::filesystem::rename(here.path(), here.path("old"));
  constexpr int lines = 2000;
  {
    std::jthread writer([&] {
      for (int i = 0; i < lines; ++i) (*log)->log(log_level::info, "meanwhile", {{"i", i}});
    });
    for (int i = 0; i < 20; ++i) CHECK((*log)->reopen());
  }
  (*log)->log(log_level::info, "after", {});
  const std::string all = here.read("old") + here.read();
  CHECK(std::count(all.begin(), all.end(), '\n') == lines + 2);
  CHECK(here.read().ends_with("after\n"));
  CHECK(here.read("old").starts_with("2026-03-01T12:34:56.007Z info before\n"));
}

TEST_CASE("a path that cannot be opened is an error; reopen then keeps the old file") {
  CHECK(!open_log("/nonexistent/folder/log", log_format::text, log_level::info, noon));
  scratch here;
  std::filesystem::create_directory(here.path("sub"));
  auto log = open_log(here.path("sub/log"), log_format::text, log_level::info, noon);
  REQUIRE(log);
  std::filesystem::rename(here.path("sub"), here.path("moved"));
  CHECK(!(*log)->reopen());
  (*log)->log(log_level::info, "still", {});
  CHECK(here.read("moved/log").ends_with("still\n"));
}

#include "briefwerk/base/log_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

using namespace briefwerk;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr base::siphash_key key{1, 2};

struct folder {
  folder() {
    std::string name = (fs::temp_directory_path() / "log-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path = name;
  }
  ~folder() { fs::remove_all(path); }
  std::vector<std::string> files() const {
    std::vector<std::string> all;
    for (const auto& one : fs::directory_iterator(path)) all.push_back(one.path().filename().string());
    std::ranges::sort(all);
    return all;
  }
  std::string read(const std::string& name) const {
    std::ifstream in(path + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string path;
};

// In March 2026.
base::wall_time day(unsigned number) {
  return std::chrono::sys_days(std::chrono::year_month_day(std::chrono::year(2026), std::chrono::month(3), std::chrono::day(number)));
}

std::string pseudonymised(std::string_view line) { return base::pseudonymise_log_line(line, key); }

}  // namespace

TEST_CASE("log files: a day's file is set aside, loses its addresses, and goes") {
  for (const auto format : {base::log_format::text, base::log_format::json}) {
    const folder where;
    const std::string path = where.path + "/mail.log";
    base::manual_clock time(day(1) + 12h);
    auto log = std::move(*base::open_log(path, format, base::log_level::info, time));
    const auto tend = [&] {
      return base::tend_log_files(path, {.keep = std::chrono::days(4), .with_addresses = std::chrono::days(2)}, time.now(), *log, key);
    };
    using names = std::vector<std::string>;
    for (int day = 0; day < 6; ++day) {
      REQUIRE(tend().has_value());
      log->log(base::log_level::info, "x", {{"peer", "192.0.2.1"}, {"day", day}});
      REQUIRE(tend().has_value());
      if (day == 1) CHECK(where.files() == names{"mail.log", "mail.log-2026-03-01"});
      if (day == 2) CHECK(where.files() == names{"mail.log", "mail.log-2026-03-01.p", "mail.log-2026-03-02"});
      if (day == 2) CHECK(where.read("mail.log-2026-03-01.p").find("192.0.2.1") == std::string::npos);
      if (day == 2) CHECK(where.read("mail.log-2026-03-02").find("192.0.2.1") != std::string::npos);
      time.advance(24h);
    }
    CHECK(where.files() == names{"mail.log", "mail.log-2026-03-03.p", "mail.log-2026-03-04.p", "mail.log-2026-03-05"});
  }
}

TEST_CASE("log files: what is of others stays, and a second file of a day has a name of its own") {
  const folder where;
  const std::string path = where.path + "/mail.log";
  base::manual_clock time(day(2));
  for (const char* name : {"/mail.log-2020-xx-01", "/mail.log-old", "/other.log-2020-01-01", "/mail.log-2026-03-01"}) {
    std::ofstream(where.path + name) << "x\n";
  }
  std::ofstream(path) << "2026-03-01T12:00:00.000Z info x\n";
  auto log = std::move(*base::open_log(path, base::log_format::text, base::log_level::info, time));
  REQUIRE(base::tend_log_files(path, {}, time.now(), *log, key).has_value());
  CHECK(where.files() == std::vector<std::string>{"mail.log", "mail.log-2020-xx-01", "mail.log-2026-03-01",
                                                  "mail.log-2026-03-01.2", "mail.log-old", "other.log-2020-01-01"});
  std::ofstream(path) << "2026-03-01T12:00:00.000Z info x\n";
  REQUIRE(base::tend_log_files(path, {.keep = std::chrono::days(0)}, time.now(), *log, key).has_value());
  CHECK(where.files().size() == 6);
}

TEST_CASE("log files: a pipe or a device is left alone: reading it may never end") {
  const folder where;
  const std::string path = where.path + "/mail.log";
  base::manual_clock time(day(2));
  for (const char* name : {"/mail.log", "/mail.log-2026-03-01"}) REQUIRE(::mkfifo((where.path + name).c_str(), 0600) == 0);
  const int both = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(both >= 0);
  constexpr std::string_view line = "2026-02-01T12:00:00.000Z info x\n";
  REQUIRE(::write(both, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  auto log = std::move(*base::open_log(path, base::log_format::text, base::log_level::info, time));
  const base::log_files_options options{.keep = std::chrono::days(30), .with_addresses = std::chrono::days(20)};
  CHECK(base::tend_log_files(path, options, time.now(), *log, key).has_value());
  CHECK(where.files() == std::vector<std::string>{"mail.log", "mail.log-2026-03-01"});
  char read[64];
  CHECK(::read(both, read, sizeof read) == static_cast<ssize_t>(line.size()));
  ::close(both);
}

TEST_CASE("log files: pseudonyms") {
  const std::string bob = pseudonymised("bob@example.org"), address = pseudonymised("192.0.2.1");
  CHECK(bob.size() == 13);
  CHECK(bob.front() == '~');
  CHECK(bob == pseudonymised("Bob@Example.ORG"));
  CHECK(bob != base::pseudonymise_log_line("bob@example.org", {3, 4}));
  struct row {
    const char* why;
    std::string_view in;
    std::string out;
  };
  const row rows[] = {
      {"text", "2026-03-01T12:00:00.000Z info smtp.message session=k3 peer=192.0.2.1 size=25",
       "2026-03-01T12:00:00.000Z info smtp.message session=k3 peer=" + address + " size=25"},
      {"a list", "to=bob@example.org,alice@example.org",
       "to=" + bob + "," + pseudonymised("alice@example.org")},
      {"inside of a text", "reason=\"192.0.2.1 in bl.test\"", "reason=\"" + address + " in bl.test\""},
      {"JSON", "{\"peer\":\"192.0.2.1\",\"from\":\"bob@example.org\",\"size\":25}",
       "{\"peer\":\"" + address + "\",\"from\":\"" + bob + "\",\"size\":25}"},
      {"in brackets", "text=\"<bob@example.org>\"", "text=\"<" + bob + ">\""},
      {"IPv6", "peer=2001:db8::1", "peer=" + pseudonymised("2001:db8::1")},
      {"a quoted local part goes with all that is round it", "from=\"\\\"a b\\\"@example.org\" size=1",
       "from=\"" + pseudonymised("\"\\\"a b\\\"@example.org\"").substr(1, 13) + "\" size=1"},
      {"no address", "size=25 version=1.2 at=@ empty=\"\"", "size=25 version=1.2 at=@ empty=\"\""},
      {"a quote without an end", "x=\"bob@example.org", "x=\"" + bob},
      {"a backslash at the end", "x=\"a\\", "x=\"a\\"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(pseudonymised(r.in) == r.out);
    for (std::size_t size = 0; size < r.in.size(); ++size) {
      const auto exact = std::make_unique<char[]>(size);
      std::copy_n(r.in.data(), size, exact.get());
      (void)pseudonymised({exact.get(), size});
    }
  }
}

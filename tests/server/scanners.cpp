#include "briefwerk/server/scanners.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include "briefwerk/filter/scan_wire.hpp"
#include "server/scan/clamd_reply.hpp"

using namespace briefwerk;
using namespace std::chrono_literals;
using filter::scan_answer;
using filter::scan_outcome;

namespace {

// Listens in a folder of its own, or on a port of loopback; serves one connection after another with the given
// functions.
class local_service {
 public:
  using serve = std::function<void(int)>;
  local_service(int type, std::vector<serve> turns) {
    char name[] = "/tmp/briefwerk-scanners-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    folder_ = name;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path().data(), path().size());
    listener_ = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    begin(std::move(turns));
  }
  static constexpr struct {} on_loopback{};
  local_service(decltype(on_loopback), std::vector<serve> turns) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::bind(listener_, name, length) == 0);
    REQUIRE(::getsockname(listener_, name, &length) == 0);
    at_ = *base::endpoint::parse("127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
    begin(std::move(turns));
  }
  ~local_service() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  std::string path() const { return folder_ + "/socket"; }
  const base::endpoint& at() const { return at_; }
  std::atomic<int> served = 0;

 private:
  void begin(std::vector<serve> turns) {
    REQUIRE(::listen(listener_, 8) == 0);
    thread_ = std::thread([this, turns = std::move(turns)] {
      for (const serve& one : turns) {
        const int connection = ::accept(listener_, nullptr, nullptr);
        if (connection < 0) return;
        one(connection);
        ::close(connection);
        ++served;
      }
    });
  }
  std::string folder_;
  base::endpoint at_;
  int listener_ = -1;
  std::thread thread_;
};

// What came with a request.
struct asked {
  std::string packet, file;
  int seals = 0;
};

asked receive(int connection) {
  char octets[64];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec piece{octets, sizeof octets};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  asked got;
  const ssize_t size = ::recvmsg(connection, &message, 0);
  if (size > 0) got.packet.assign(octets, static_cast<std::size_t>(size));
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  if (head == nullptr) return got;
  int file = -1;
  std::memcpy(&file, CMSG_DATA(head), sizeof file);
  got.seals = ::fcntl(file, F_GET_SEALS);
  got.file.resize(1000);
  const ssize_t read = ::pread(file, got.file.data(), got.file.size(), 0);
  got.file.resize(static_cast<std::size_t>(std::max<ssize_t>(read, 0)));
  ::close(file);
  return got;
}

local_service::serve says(std::string octets) {
  return [octets = std::move(octets)](int connection) {
    (void)receive(connection);
    (void)!::write(connection, octets.data(), octets.size());
  };
}

scan_answer ask_scand(const std::string& socket, std::string_view message = "Subject: x\r\n\r\n",
                      std::chrono::milliseconds limit = 5s) {
  const auto scanner = server::make_scand_client({.socket = socket, .limit = limit, .size = 100, .at_once = 1});
  return base::sync_wait(scanner->scan(message));
}

scan_answer ask_clamd(const std::string& socket, std::chrono::milliseconds limit = 5s) {
  const auto scanner = server::make_clamd_client({.socket = socket, .limit = limit, .at_once = 1});
  return base::sync_wait(scanner->scan("Subject: x\r\n\r\n"));
}

scan_answer ask_clamd(const base::endpoint& at, std::string_view message = "Subject: x\r\n\r\n",
                      std::chrono::milliseconds limit = 5s) {
  const auto scanner = server::make_clamd_client({.tcp = at, .limit = limit, .at_once = 1});
  return base::sync_wait(scanner->scan(message));
}

// clamd's side of INSTREAM: takes chunks up to the empty one, and answers. `got`: the message.
local_service::serve takes_stream(std::string& got, std::string answer) {
  return [&got, answer = std::move(answer)](int connection) {
    const auto read = [connection](std::size_t size) {
      std::string octets(size, '\0');
      octets.resize(static_cast<std::size_t>(std::max<ssize_t>(::recv(connection, octets.data(), size, MSG_WAITALL), 0)));
      return octets;
    };
    if (read(10) != std::string_view("zINSTREAM\0", 10)) return;
    for (;;) {
      const std::string head = read(4);
      if (head.size() < 4) return;
      std::size_t size = 0;
      for (const char c : head) size = size << 8 | static_cast<unsigned char>(c);
      if (size == 0) break;
      got += read(size);
    }
    (void)!::write(connection, answer.data(), answer.size() + 1);
  };
}

}  // namespace

TEST_CASE("scanners: a message goes to briefwerk-scand as a sealed file") {
  asked got;
  local_service scand(SOCK_SEQPACKET, {[&got](int connection) {
                        got = receive(connection);
                        const std::string answer = filter::encode(scan_answer{scan_outcome::infected, "Eicar"});
                        (void)!::write(connection, answer.data(), answer.size());
                      }});
  const scan_answer said = ask_scand(scand.path());
  CHECK(said.outcome == scan_outcome::infected);
  CHECK(said.text == "Eicar");
  CHECK(got.file == std::string(filter::scan_preface) + "Subject: x\r\n\r\n");
  const auto request = filter::decode_scan_request(got.packet);
  REQUIRE(request.has_value());
  CHECK(request->size == got.file.size());
  CHECK((got.seals & (F_SEAL_SHRINK | F_SEAL_WRITE)) == (F_SEAL_SHRINK | F_SEAL_WRITE));
}

TEST_CASE("scanners: what is no answer of briefwerk-scand is a scan that failed") {
  const auto dies = [](int connection) { (void)receive(connection); };
  const auto dies_at_once = [](int) {};
  const auto hangs = [](int connection) {
    (void)receive(connection);
    char until_it_is_left;
    (void)!::read(connection, &until_it_is_left, 1);
  };
  const auto clean = says(filter::encode(scan_answer{scan_outcome::clean, ""}));
  struct row {
    const char* why;
    std::vector<local_service::serve> turns;
    std::chrono::milliseconds limit;
    scan_outcome outcome;
    const char* text;
  };
  const row rows[] = {
      {"a worker dies, the next one answers", {dies, clean}, 5s, scan_outcome::clean, ""},
      {"one dies before it has heard anything", {dies_at_once, clean}, 5s, scan_outcome::clean, ""},
      {"two die", {dies, dies, clean}, 5s, scan_outcome::failed, "the scan broke off"},
      {"no answer in time", {hangs}, 100ms, scan_outcome::failed, "no answer of the scanner: "},
      {"something else answers",
       {says("HTTP/1.1 200 OK\r\n\r\n")},
       5s,
       scan_outcome::failed,
       "no answer of the scanner: "},
      {"an answer that is cut off", {says("BWA1\1\5Eic")}, 5s, scan_outcome::failed, "no answer of the scanner: "},
      {"one octet too many",
       {says(std::string("BWA1\0\0x", 7))},
       5s,
       scan_outcome::failed,
       "no answer of the scanner: "},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    local_service scand(SOCK_SEQPACKET, r.turns);
    const scan_answer said = ask_scand(scand.path(), "Subject: x\r\n\r\n", r.limit);
    CHECK(said.outcome == r.outcome);
    CHECK(said.text.starts_with(r.text));
  }
  CHECK(ask_scand("/nowhere/socket").outcome == scan_outcome::failed);
  CHECK(ask_scand(std::string(200, 'x')).outcome == scan_outcome::failed);
}

TEST_CASE("scanners: what is too large is not handed over") {
  CHECK(ask_scand("/nowhere/socket", std::string(101, 'x')).outcome == scan_outcome::too_large);
  CHECK(ask_scand("/nowhere/socket", std::string(100, 'x')).outcome == scan_outcome::failed);
}

TEST_CASE("scanners: one that hangs does not cost each message its time") {
  const auto hangs = [](int connection) {
    char octet;
    while (::read(connection, &octet, 1) > 0) {}
  };
  const auto answers = [](int connection) {
    char octets[200];
    ssize_t size = 1;
    for (std::string got; !got.ends_with(std::string_view("\0\0\0\0", 4)) && size > 0;) {
      size = ::read(connection, octets, sizeof octets);
      if (size > 0) got.append(octets, static_cast<std::size_t>(size));
    }
    (void)!::write(connection, "stream: OK", 11);
  };
  const auto scand_answers = says(filter::encode(scan_answer{scan_outcome::clean, ""}));
  for (const bool clamd : {true, false}) {
    CAPTURE(clamd);
    local_service service(clamd ? SOCK_STREAM : SOCK_SEQPACKET,
                          {hangs, hangs, hangs, clamd ? local_service::serve(answers) : scand_answers, hangs});
    base::manual_clock time{base::wall_time(1h)};
    base::metrics metrics;
    server::scanner_options options{.socket = service.path(), .limit = 100ms, .at_once = 1};
    options.hanging = {.time_outs = 2, .pause = 30s, .time = &time, .metrics = &metrics};
    const auto scanner = clamd ? server::make_clamd_client(options) : server::make_scand_client(options);
    const auto scan = [&] { return base::sync_wait(scanner->scan("Subject: x\r\n\r\n")); };
    const auto skipped = [&] { return metrics.get_counter("filter.virus.skipped").value(); };
    for (int i = 0; i < 2; ++i) CHECK(scan().outcome == scan_outcome::failed);
    CHECK(metrics.get_counter("filter.virus.hangs").value() == 1);
    for (int i = 0; i < 20; ++i) {
      const scan_answer said = scan();
      CHECK(said.outcome == scan_outcome::failed);
      CHECK(said.text == "the scanner hangs and is not asked at the moment");
    }
    CHECK(skipped() == 20);
    time.advance(30s);
    CHECK(scan().text.starts_with("no answer of the scanner: "));
    CHECK(scan().text.starts_with("the scanner hangs"));
    time.advance(30s);
    CHECK_MESSAGE(scan().outcome == scan_outcome::clean, "it answers again");
    CHECK_MESSAGE(scan().text.starts_with("no answer of the scanner: "), "and is asked: one time-out is no pause");
    CHECK(metrics.get_counter("filter.virus.hangs").value() == 2);
    CHECK(skipped() == 21);
    for (int i = 0; i < 600 && service.served < 5; ++i) std::this_thread::sleep_for(10ms);
    CHECK_MESSAGE(service.served == 5, "who was not asked did not even connect");
  }
}

TEST_CASE("scanners: who waits in line for one that hangs hears so when that is known") {
  const auto hangs = [](int connection) {
    (void)receive(connection);
    char until_it_is_left;
    (void)!::read(connection, &until_it_is_left, 1);
  };
  local_service scand(SOCK_SEQPACKET, {hangs});
  auto scanner = server::make_scand_client(
      {.socket = scand.path(), .limit = 1s, .at_once = 1, .hanging = {.time_outs = 1, .pause = 1h}});
  scan_answer first, second;
  std::jthread one([&] { first = base::sync_wait(scanner->scan("x")); });
  std::this_thread::sleep_for(500ms);
  std::jthread two([&] { second = base::sync_wait(scanner->scan("x")); });
  one.join();
  two.join();
  CHECK(first.text.starts_with("no answer of the scanner: "));
  CHECK(second.text == "the scanner hangs and is not asked at the moment");
}

TEST_CASE("scanners: what fails at once, or is an answer, does not begin a pause") {
  base::metrics metrics;
  {
    const auto nobody = server::make_clamd_client(
        {.socket = "/nowhere/socket", .limit = 5s, .at_once = 1, .hanging = {.time_outs = 1, .metrics = &metrics}});
    for (int i = 0; i < 5; ++i) CHECK(base::sync_wait(nobody->scan("x")).outcome == scan_outcome::failed);
  }
  const auto errs = says(std::string("stream: Can't allocate memory ERROR\0", 36));
  local_service clamd(SOCK_STREAM, {errs, errs, errs});
  const auto scanner = server::make_clamd_client(
      {.socket = clamd.path(), .limit = 5s, .at_once = 1, .hanging = {.time_outs = 1, .metrics = &metrics}});
  for (int i = 0; i < 3; ++i) CHECK(base::sync_wait(scanner->scan("x")).text.ends_with("ERROR"));
  CHECK(metrics.get_counter("filter.virus.hangs").value() == 0);
  CHECK(metrics.get_counter("filter.virus.skipped").value() == 0);
}

TEST_CASE("scanners: one that goes away answers who waits in its line") {
  const auto slow = [](int connection) {
    (void)receive(connection);
    std::this_thread::sleep_for(200ms);
  };
  local_service scand(SOCK_SEQPACKET, {slow, slow});
  auto scanner = server::make_scand_client({.socket = scand.path(), .limit = 5s, .at_once = 1});
  base::blocking_executor here;
  std::atomic<bool> done = false;
  scan_outcome first = scan_outcome::clean, second = scan_outcome::clean;
  const auto one = [](filter::scanner& by, scan_outcome& said, std::atomic<bool>* end,
                      base::executor& ex) -> base::task<void> {
    said = (co_await by.scan("x")).outcome;
    if (!end) co_return;
    end->store(true);
    ex.post([] {});
  };
  base::spawn_here(here, one(*scanner, first, nullptr, here));
  base::spawn_here(here, one(*scanner, second, &done, here));
  scanner.reset();
  here.run_until(done);
  CHECK(first == scan_outcome::failed);
  CHECK(second == scan_outcome::failed);
}

TEST_CASE("scanners: replies of clamd, whole and cut at every octet") {
  struct row {
    const char* reply;
    scan_outcome outcome;
    const char* text;
  };
  const row rows[] = {
      {"stream: OK", scan_outcome::clean, ""},
      {"stream: Eicar-Test FOUND", scan_outcome::infected, "Eicar-Test"},
      {"stream: Heuristics.Encrypted.Zip FOUND", scan_outcome::encrypted, "Heuristics.Encrypted.Zip"},
      {"stream: Heuristics.Limits.Exceeded.MaxFiles FOUND", scan_outcome::too_large,
       "Heuristics.Limits.Exceeded.MaxFiles"},
      {"stream: Heuristics.Limits.Exceeded.MaxScanTime FOUND", scan_outcome::failed, "took too long"},
      {"INSTREAM size limit exceeded. ERROR", scan_outcome::too_large, "message"},
      {"stream: Can't open file ERROR", scan_outcome::failed, "stream: Can't open file ERROR"},
  };
  for (const row& r : rows) {
    const std::string whole = std::string(r.reply) + '\0';
    CAPTURE(r.reply);
    const auto said = server::parse_clamd_reply(whole);
    REQUIRE(said.has_value());
    CHECK(said->outcome == r.outcome);
    CHECK(said->text == r.text);
    for (std::size_t n = 0; n < whole.size(); ++n) CHECK(!server::parse_clamd_reply(whole.substr(0, n)));
  }
  using namespace std::string_view_literals;
  CHECK(!server::parse_clamd_reply("stream: OK\0\0"sv));
  CHECK(!server::parse_clamd_reply("stream:  FOUND"sv));
  CHECK(!server::parse_clamd_reply("UNKNOWN COMMAND\0"sv));
  CHECK(!server::parse_clamd_reply(std::string(server::clamd_reply_size, 'x') + '\0'));
}

TEST_CASE("scanners: the dialogue with clamd") {
  std::string got;
  local_service clamd(SOCK_STREAM, {[&got](int connection) {
                        char piece[100];
                        while (!got.ends_with(std::string_view("\n\0\0\0\0", 5))) {
                          const ssize_t n = ::read(connection, piece, sizeof piece);
                          if (n <= 0) return;
                          got.append(piece, static_cast<std::size_t>(n));
                        }
                        for (const char c : std::string_view("stream: Eicar FOUND\0", 20))
                          (void)!::write(connection, &c, 1);
                      }});
  CHECK(ask_clamd(clamd.path()).text == "Eicar");
  std::string expected("zINSTREAM\0\0\0\0", 13);
  expected += static_cast<char>(filter::scan_preface.size());
  expected += filter::scan_preface;
  expected += std::string("\0\0\0\x0eSubject: x\r\n\r\n\0\0\0\0", 22);
  CHECK(got == expected);

  local_service silent(SOCK_STREAM, {[](int connection) {
                         char piece[100];
                         while (::read(connection, piece, sizeof piece) > 0) continue;
                       }});
  CHECK(ask_clamd(silent.path(), 50ms).outcome == scan_outcome::failed);
  local_service other(SOCK_STREAM, {says(std::string("SMTP\0", 5))});
  CHECK(ask_clamd(other.path()).outcome == scan_outcome::failed);
  local_service gone(SOCK_STREAM, {[](int) {}});
  CHECK(ask_clamd(gone.path()).outcome == scan_outcome::failed);
}

TEST_CASE("scanners: clamd over TCP") {
  const std::string large(3'000'000, 'x');  // several chunks, more than the socket's buffers hold
  std::string first, second;
  local_service clamd(local_service::on_loopback, {takes_stream(first, "stream: Eicar FOUND"), takes_stream(second, "stream: OK")});
  const scan_answer infected = ask_clamd(clamd.at());
  CHECK(infected.outcome == scan_outcome::infected);
  CHECK(infected.text == "Eicar");
  CHECK(first == std::string(filter::scan_preface) + "Subject: x\r\n\r\n");
  CHECK(ask_clamd(clamd.at(), large, 60s).outcome == scan_outcome::clean);
  CHECK(second == std::string(filter::scan_preface) + large);
  const auto silent = [](int connection) {
    char octet;
    while (::read(connection, &octet, 1) > 0) {}
  };
  local_service hangs(local_service::on_loopback, {silent});
  CHECK(ask_clamd(hangs.at(), "x", 50ms).outcome == scan_outcome::failed);
  local_service gone(local_service::on_loopback, {[](int) {}});
  CHECK(ask_clamd(gone.at()).outcome == scan_outcome::failed);
  // One that finds the stream too large says so before its end and hangs up.
  local_service full(local_service::on_loopback, {[](int connection) {
                       char octets[4096];
                       (void)!::read(connection, octets, sizeof octets);
                       const std::string_view said("INSTREAM size limit exceeded. ERROR\0", 36);
                       (void)!::write(connection, said.data(), said.size());
                       ::shutdown(connection, SHUT_WR);
                       while (::read(connection, octets, sizeof octets) > 0) {}
                     }});
  CHECK(ask_clamd(full.at(), large).outcome == scan_outcome::too_large);
  base::endpoint nobody;
  {
    local_service closed(local_service::on_loopback, {});
    nobody = closed.at();
  }
  CHECK(ask_clamd(nobody).outcome == scan_outcome::failed);
}

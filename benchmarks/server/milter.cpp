// What a milter costs a message of 20 KiB: one on a thread of its own behind a Unix socket, that accepts. "each asked":
// every event waits for its answer; "few asked": fields and body are told without an answer, as rspamd and OpenDKIM
// agree it.

#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <latch>
#include <string>
#include <thread>

#include "briefwerk/filter/chain.hpp"
#include "briefwerk/net.hpp"
#include "briefwerk/server/milter_stage.hpp"

namespace {

using namespace briefwerk;

constexpr int messages_each = 100;  // in one iteration

// Answers "continue", and "accept" to the end of the message; one connection after the other.
class accepting_milter {
 public:
  explicit accepting_milter(bool few) : silent_(few ? "LB" : "") {
    std::string name = (std::filesystem::temp_directory_path() / "briefwerk-bench-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ + "/milter";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_, 10) != 0) {
      std::abort();
    }
    thread_ = std::thread([this] {
      for (int peer; (peer = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(peer)) serve(peer);
    });
  }
  ~accepting_milter() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    std::filesystem::remove_all(folder_);
  }
  const std::string& path() const { return path_; }

 private:
  // Events come in several to a read, and large ones in several reads.
  void serve(int peer) const {
    std::string input;
    char octets[65536];
    for (;;) {
      const ssize_t got = ::read(peer, octets, sizeof octets);
      if (got <= 0) return;
      input.append(octets, static_cast<std::size_t>(got));
      std::string answers;
      std::size_t at = 0;
      while (input.size() - at >= 5) {
        std::size_t size = 0;
        for (std::size_t i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(input[at + i]);
        if (input.size() - at < 4 + size) break;
        answer(input[at + 4], answers);
        at += 4 + size;
      }
      input.erase(0, at);
      if (!answers.empty() && ::write(peer, answers.data(), answers.size()) < 0) return;
    }
  }
  void answer(char command, std::string& to) const {
    using namespace std::string_view_literals;
    if (command == 'O' && silent_.empty()) to += "\0\0\0\15O\0\0\0\6\0\0\1\xff\0\0\0\0"sv;
    else if (command == 'O') to += "\0\0\0\15O\0\0\0\6\0\0\1\xff\0\x8\0\x80"sv;  // SMFIP_NR_BODY, SMFIP_NR_HDR
    else if (command == 'E') to += "\0\0\0\1a"sv;
    else if (std::strchr("DAQK", command) == nullptr && silent_.find(command) == silent_.npos) to += "\0\0\0\1c"sv;
  }

  std::string silent_, folder_, path_;
  int listener_ = -1;
  std::thread thread_;
};

std::string make_message() {
  std::string made;
  for (const char* field : {"Received: from a.example (a.example [192.0.2.1]) by mx.example.org with ESMTPS; Sun, 1 Mar 2026 12:00:00 +0000",
                            "DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; h=from:to:subject:date; bh=AAAA; b=BBBB",
                            "From: A <a@a.example>", "To: B <b@example.org>", "Subject: A message of the usual size",
                            "Date: Sun, 1 Mar 2026 12:00:00 +0000", "Message-ID: <1@a.example>", "MIME-Version: 1.0",
                            "Content-Type: text/plain; charset=utf-8", "X-Mailer: none", "List-Id: <list.a.example>",
                            "Reply-To: a@a.example"}) {
    made.append(field).append("\r\n");
  }
  made += "\r\n";
  while (made.size() < 20 << 10) made += std::string(76, 'x') + "\r\n";
  return made;
}

struct visit {
  const filter::chain& chain;
  const std::string& message;
  bool kept;  // one session for all
  std::atomic<bool>& failed;
};

base::task<void> bring(visit what, std::latch& done) {
  mail::smtp_envelope envelope;
  envelope.sender = mail::mailbox_address{"a", "a.example"};
  envelope.recipients.push_back({.address = {"b", "example.org"}});
  const filter::message_facts facts{what.message};
  for (int i = 0; i < messages_each;) {
    filter::session_facts session;
    session.remote = *base::endpoint::parse("192.0.2.1:1");
    (void)co_await what.chain.connect(session);
    session.hello = "a.example";
    (void)co_await what.chain.hello(session);
    do {
      (void)co_await what.chain.mail(session, envelope);
      (void)co_await what.chain.rcpt(session, envelope, envelope.recipients.front());
      const filter::verdict said = co_await what.chain.message(session, envelope, facts);
      if (said.what != filter::action::accept) what.failed = true;
      ++i;
    } while (what.kept && i < messages_each);
  }
  done.count_down();
}

void measure(benchmark::State& state, bool few, bool kept) {
  const accepting_milter milter(few);
  const std::string message = make_message();
  filter::chain chain;
  chain.add(server::make_milter_stage({.name = "milter", .address = {.path = milter.path()}, .hostname = "mx.example.org"}));
  std::atomic<bool> failed{false};
  {
    net::io_threads threads(1);
    threads.start();
    for (auto _ : state) {
      std::latch done(1);
      base::spawn(threads[0], bring({chain, message, kept, failed}, done));
      done.wait();
    }
    threads.stop(std::chrono::seconds(1));
  }
  if (failed) state.SkipWithError("the milter was not heard");
  state.SetItemsProcessed(state.iterations() * messages_each);
}

void each_session(benchmark::State& state) { measure(state, false, false); }
void each_kept(benchmark::State& state) { measure(state, false, true); }
void few_session(benchmark::State& state) { measure(state, true, false); }
void few_kept(benchmark::State& state) { measure(state, true, true); }

// An iteration is a hundred messages.
BENCHMARK(each_session)->Name("milter, each asked, a session each")->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(each_kept)->Name("milter, each asked, one session")->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(few_session)->Name("milter, few asked, a session each")->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK(few_kept)->Name("milter, few asked, one session")->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);

}  // namespace

// What a scan costs beside libclamav's own time: the client of the server's room and a worker of briefwerk-scand,
// confined as always, in a process of its own, with an engine that finds nothing at once.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

#include "apps/scand/worker.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/server/scanners.hpp"

namespace briefwerk::scand {

std::unique_ptr<engine> engine::load(const settings&, std::string&) {
  return std::unique_ptr<engine>(new engine(nullptr));
}
engine::~engine() { static_cast<void>(engine_); }
bool engine::use_folder(const std::string&) { return true; }
filter::scan_answer engine::scan(int) const { return {filter::scan_outcome::clean, {}}; }

}  // namespace briefwerk::scand

namespace {

using namespace briefwerk;

class one_worker {
 public:
  one_worker() {
    std::string name = (std::filesystem::temp_directory_path() / "briefwerk-bench-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    how_.socket = folder_ + "/socket";
    how_.temporary = folder_;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, how_.socket.data(), how_.socket.size());
    listener_ = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    (void)::listen(listener_, 16);
    void* shared =
        ::mmap(nullptr, sizeof(scand::worker_state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    auto* state = new (shared) scand::worker_state;
    const pid_t self = ::getpid();
    child_ = ::fork();
    if (child_ == 0) {
      std::string wrong;
      scand::work(*scand::engine::load(how_, wrong), how_, listener_, *state, self);
    }
  }
  ~one_worker() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    ::close(listener_);
    std::filesystem::remove_all(folder_);
  }
  one_worker(const one_worker&) = delete;
  const std::string& socket() const { return how_.socket; }

 private:
  std::string folder_;
  scand::settings how_;
  int listener_ = -1;
  pid_t child_ = 0;
};

double at(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void hand_over(benchmark::State& state) {
  const one_worker worker;  // before the client's threads
  const auto client = server::make_scand_client({.socket = worker.socket(), .at_once = 1});
  const std::string message(static_cast<std::size_t>(state.range(0)), 'x');
  std::vector<double> took;
  for (auto _ : state) {
    const auto began = std::chrono::steady_clock::now();
    const filter::scan_answer said = base::sync_wait(client->scan(message));
    took.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began).count());
    if (said.outcome != filter::scan_outcome::clean) state.SkipWithError(said.text.c_str());
  }
  std::ranges::sort(took);
  state.counters["p10_us"] = at(took, 0.1);
  state.counters["p50_us"] = at(took, 0.5);
  state.counters["p99_us"] = at(took, 0.99);
}

}  // namespace

BENCHMARK(hand_over)
    ->Name("hand-over of a message to briefwerk-scand and back")
    ->Arg(4 << 10)
    ->Arg(20 << 10)
    ->Arg(1 << 20)
    ->UseRealTime();

#include "apps/scand/generation.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <new>
#include <vector>

#include "apps/scand/engine.hpp"
#include "apps/scand/worker.hpp"

namespace briefwerk::scand {
namespace {

constexpr std::int64_t second = 1'000'000'000;
// libclamav ends a scan by itself when its time is up; who does not hear of it is ended a little later.
constexpr std::int64_t grace = second;

class generation {
 public:
  generation(const settings& how, int listener) : how_(how), listener_(listener), process_(::getpid()) {}

  bool load() {
    std::string wrong;
    engine_ = engine::load(how_, wrong);
    if (!engine_) say("warning", "the database cannot be loaded: %s", wrong.c_str());
    void* shared =
        ::mmap(nullptr, how_.workers * sizeof(worker_state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!engine_ || shared == MAP_FAILED) return false;
    for (unsigned i = 0; i < how_.workers; ++i)
      workers_.push_back({new (static_cast<worker_state*>(shared) + i) worker_state});
    return true;
  }

  void start_missing() {
    for (worker& one : workers_) {
      if (one.process != 0 || steady_now() < one.not_before) continue;
      one.state->busy_since = 0;
      one.state->scans = 0;
      one.process = ::fork();
      if (one.process == 0) work(*engine_, how_, listener_, *one.state, process_);
      if (one.process < 0) {
        one.process = 0;
        one.not_before = steady_now() + second;
      }
    }
  }

  // Who holds on to one message for too long.
  void end_late() {
    const std::int64_t before = steady_now() - how_.seconds * second - grace;
    for (const worker& one : workers_) {
      const std::int64_t since = one.state->busy_since;
      if (one.process == 0 || since == 0 || since > before) continue;
      say("warning", "a scan took too long and was ended");
      ::kill(one.process, SIGKILL);
    }
  }

  void bury(bool ending) {
    int status = 0;
    for (pid_t gone; (gone = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto one = std::ranges::find(workers_, gone, &worker::process);
      if (one == workers_.end()) continue;
      one->process = 0;
      std::error_code ignored;
      std::filesystem::remove_all(worker_folder(how_, gone), ignored);
      if (ending && WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
      if (WIFSIGNALED(status)) say("warning", "a worker was ended by signal %d", WTERMSIG(status));
      if (WIFEXITED(status)) say("warning", "a worker ended with %d", WEXITSTATUS(status));
      // One that ends before it has scanned anything will do so again.
      if (one->state->scans == 0 && one->state->busy_since == 0) one->not_before = steady_now() + second;
    }
  }

  void tell(int signal) const {
    for (const worker& one : workers_) {
      if (one.process != 0) ::kill(one.process, signal);
    }
  }
  bool is_empty() const {
    return std::ranges::all_of(workers_, [](const worker& one) { return one.process == 0; });
  }
  unsigned signatures() const { return engine_->signatures(); }

 private:
  struct worker {
    worker_state* state;
    pid_t process = 0;
    std::int64_t not_before = 0;
  };

  const settings& how_;
  int listener_;
  pid_t process_;
  std::unique_ptr<engine> engine_;
  std::vector<worker> workers_;
};

}  // namespace

void say(const char* level, const char* format, ...) {
  char line[512];
  int size = std::snprintf(line, sizeof line, "%s ", level);
  va_list all;
  va_start(all, format);
  size += std::vsnprintf(line + size, sizeof line - static_cast<std::size_t>(size) - 1, format, all);
  va_end(all);
  const std::size_t used = std::min(static_cast<std::size_t>(size), sizeof line - 2);
  line[used] = '\n';
  (void)!::write(STDOUT_FILENO, line, used + 1);
}

void run_generation(const settings& how, int listener, int ready, int parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  generation here(how, listener);
  if (!here.load()) ::_exit(1);
  here.start_missing();
  say("info", "%u signatures loaded", here.signatures());
  (void)!::write(ready, "", 1);
  ::close(ready);

  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int each : {SIGTERM, SIGINT, SIGCHLD}) ::sigaddset(&wanted, each);
  constexpr timespec tick{0, 200'000'000};
  for (bool ending = false; !ending || !here.is_empty();) {
    const int signal = ::sigtimedwait(&wanted, nullptr, &tick);
    if (signal == SIGTERM || signal == SIGINT) ending = true;
    here.bury(ending);
    here.end_late();
    if (ending)
      here.tell(SIGTERM);
    else
      here.start_missing();
  }
  ::_exit(0);
}

}  // namespace briefwerk::scand

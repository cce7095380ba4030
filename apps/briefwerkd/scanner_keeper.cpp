#include "apps/briefwerkd/scanner_keeper.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "apps/config/conversions.hpp"

namespace briefwerk::apps {

using base::log_level;

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds first_pause = 500ms, longest_pause = 60s;
constexpr auto steady_after = 60s;  // one that lived so long starts again without a pause to speak of
constexpr auto patience = 5s;       // for its end
constexpr std::size_t longest_line = 1024;

std::string reason_of(int code) { return std::error_code(code, std::generic_category()).message(); }

}  // namespace

scanner_keeper::scanner_keeper(base::log_sink& log, options how)
    : log_(log), options_(std::move(how)), wake_(::eventfd(0, EFD_CLOEXEC)), thread_([this] { run(); }) {}

scanner_keeper::~scanner_keeper() {
  (void)::eventfd_write(wake_, 1);
  thread_.join();
  ::close(wake_);
}

bool scanner_keeper::pause(std::chrono::milliseconds time) const {
  pollfd one{wake_, POLLIN, 0};
  return ::poll(&one, 1, static_cast<int>(time.count())) == 0;
}

void scanner_keeper::run() {
  auto wait = first_pause;
  while (pause(0ms)) {
    const auto began = clock::now();
    program one;
    if (start(one)) {
      watch(one);
      end(one);
    }
    if (clock::now() - began > steady_after) wait = first_pause;
    if (!pause(wait)) return;
    wait = std::min(2 * wait, longest_pause);
  }
}

bool scanner_keeper::start(program& made) {
  int in[2] = {-1, -1}, out[2] = {-1, -1};
  int failed = 0;
  if (!options_.folder.empty() && ::mkdir(options_.folder.c_str(), 0700) != 0 && errno != EEXIST) failed = errno;
  if (failed == 0 && (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC | O_NONBLOCK) != 0)) failed = errno;
  if (failed == 0) failed = options_.by->start(made.process, in[0], out[1]);
  for (const int each : {in[0], out[1]}) {
    if (each >= 0) ::close(each);
  }
  made.input = in[1];
  made.output = out[0];
  if (failed == 0) {
    log_.log(log_level::info, "scanner.started", {{"process", made.process}});
    return true;
  }
  for (const int each : {in[1], out[0]}) {
    if (each >= 0) ::close(each);
  }
  log_.log(log_level::error, "scanner.failed", {{"program", options_.by->program()}, {"reason", reason_of(failed)}});
  return false;
}

void scanner_keeper::watch(const program& one) {
  std::string text;
  for (;;) {
    pollfd all[] = {{wake_, POLLIN, 0}, {one.output, POLLIN, 0}};
    if (::poll(all, 2, -1) < 0 && errno != EINTR) return;
    if (all[0].revents != 0) return;
    if (all[1].revents == 0) continue;
    char piece[512];
    const ssize_t got = ::read(one.output, piece, sizeof piece);
    if (got == 0) return;
    if (got < 0) continue;
    text.append(piece, static_cast<std::size_t>(got));
    say_lines(text);
  }
}

void scanner_keeper::say_lines(std::string& text) {
  for (std::size_t end; (end = text.find('\n')) != text.npos; text.erase(0, end + 1)) {
    const std::string_view line = std::string_view(text).substr(0, end);
    const std::size_t level = std::min(line.find(' '), line.size());
    const std::string_view rest = line.substr(std::min(level + 1, line.size()));
    log_.log(to_level(line.substr(0, level)), "scanner.says", {{"text", rest}});
  }
  if (text.size() > longest_line) text.clear();
}

// The end of its input is what it waits for; it ends its workers then.
void scanner_keeper::end(program& one) {
  ::close(one.input);
  ::close(one.output);
  const int status = options_.by->end(one.process, patience);
  const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  log_.log(well ? log_level::info : log_level::error, "scanner.ended", {{"code", code}});
}

}  // namespace briefwerk::apps

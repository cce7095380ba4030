#include "apps/scand/supervisor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include "apps/scand/account.hpp"
#include "apps/scand/generation.hpp"

namespace briefwerk::scand {
namespace {

using namespace std::chrono_literals;
namespace files = std::filesystem;

constexpr int backlog = 4096;  // scans that wait for a worker
constexpr std::chrono::seconds longest_pause = 60s;
constexpr auto steady_after = 10s;  // one that lived so long may start again at once

std::string look(const std::string& folder) {
  std::vector<std::string> all;
  std::error_code failed;
  for (const auto& one : files::directory_iterator(folder, failed)) {
    struct stat found{};
    if (::stat(one.path().c_str(), &found) != 0 || !S_ISREG(found.st_mode)) continue;
    all.push_back(one.path().filename().string() + ' ' + std::to_string(found.st_size) + ' ' +
                  std::to_string(found.st_ino) + ' ' + std::to_string(found.st_mtim.tv_sec) + '.' +
                  std::to_string(found.st_mtim.tv_nsec) + '\n');
  }
  std::ranges::sort(all);
  std::string text;
  for (const std::string& one : all) text += one;
  return text;
}

// Owned by who will use it, or not used: it will be emptied.
bool make_private(const std::string& folder, uid_t owner) {
  struct stat found{};
  const bool fresh = ::mkdir(folder.c_str(), 0700) == 0;
  if (!fresh && errno != EEXIST) return false;
  if (fresh && owner != ::geteuid() && ::lchown(folder.c_str(), owner, static_cast<gid_t>(-1)) != 0) return false;
  if (::lstat(folder.c_str(), &found) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != owner) return false;
  return (found.st_mode & 0777) == 0700 || ::chmod(folder.c_str(), 0700) == 0;
}

void empty(const std::string& folder) {
  std::error_code ignored;
  for (const auto& one : files::directory_iterator(folder, ignored)) files::remove_all(one.path(), ignored);
}

sigset_t handled_signals() {
  sigset_t made;
  ::sigemptyset(&made);
  for (const int each : {SIGTERM, SIGINT, SIGCHLD}) ::sigaddset(&made, each);
  return made;
}

}  // namespace

bool supervisor::listen() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (how_.socket.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, how_.socket.data(), how_.socket.size());
  ::unlink(how_.socket.c_str());
  listener_ = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return listener_ >= 0 && ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         ::listen(listener_, backlog) == 0;
}

bool supervisor::start(generation& where) {
  int both[2];
  if (::pipe2(both, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  const pid_t self = ::getpid();
  seen_ = look(how_.database);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(both[0]);
    run_generation(how_, listener_, both[1], self);
  }
  ::close(both[1]);
  where = {child, both[0], clock::now()};
  if (child > 0) return true;
  ::close(both[0]);
  where = {};
  return false;
}

void supervisor::hear_ready() {
  char octet;
  for (generation* one : {&current_, &next_}) {
    if (one->ready < 0 || ::read(one->ready, &octet, 1) <= 0) continue;
    ::close(one->ready);
    one->ready = -1;
    pause_ = 1s;
    if (one != &next_) continue;
    if (current_.process != 0) {
      ::kill(current_.process, SIGTERM);
      draining_.push_back(current_.process);
      if (current_.ready >= 0) ::close(current_.ready);
    }
    current_ = next_;
    next_ = {};
  }
}

void supervisor::bury() {
  int status = 0;
  for (pid_t gone; (gone = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (std::erase(draining_, gone) != 0) continue;
    for (generation* one : {&current_, &next_}) {
      if (one->process != gone) continue;
      if (WIFSIGNALED(status)) say("error", "the workers' parent was ended by signal %d", WTERMSIG(status));
      if (one->ready >= 0) ::close(one->ready);
      if (one == &current_) {
        const bool steady = clock::now() - one->since > steady_after;
        not_before_ = clock::now() + (steady ? 0s : pause_);
        pause_ = std::min(2 * pause_, longest_pause);
      }
      *one = {};
    }
  }
}

void supervisor::look_at_folder() {
  const auto now = clock::now();
  if (current_.process == 0) {
    if (now >= not_before_ && !start(current_)) not_before_ = now + pause_;
    return;
  }
  if (current_.ready >= 0 || next_.process != 0 || now - looked_ < std::chrono::seconds(how_.check_seconds)) return;
  looked_ = now;
  if (look(how_.database) == seen_) return;
  say("info", "the database has changed");
  (void)start(next_);
}

void supervisor::wait_for_event(int signals, bool& ending) {
  const auto fd_of = [](int fd) { return pollfd{fd, POLLIN, 0}; };
  pollfd all[] = {fd_of(signals), fd_of(how_.end_with_input ? STDIN_FILENO : -1), fd_of(current_.ready),
                  fd_of(next_.ready)};
  const int pause = current_.process == 0 ? 100 : 1000;
  (void)::poll(all, std::size(all), pause);
  signalfd_siginfo got{};
  while (::read(signals, &got, sizeof got) == sizeof got) {
    if (got.ssi_signo != SIGCHLD) ending = true;
  }
  char octet;
  if ((all[1].revents & (POLLIN | POLLHUP)) != 0 && ::read(STDIN_FILENO, &octet, 1) == 0) ending = true;
}

void supervisor::end() {
  ::unlink(how_.socket.c_str());
  const auto told = [this](int signal) {
    for (const pid_t one : draining_) ::kill(one, signal);
    for (const generation* one : {&current_, &next_}) {
      if (one->process != 0) ::kill(one->process, signal);
    }
  };
  // One that still loads does not listen.
  if (next_.process != 0) ::kill(next_.process, SIGKILL);
  if (current_.ready >= 0) ::kill(current_.process, SIGKILL);
  told(SIGTERM);
  const auto until = clock::now() + 3s;
  const auto is_left = [this] { return current_.process != 0 || next_.process != 0 || !draining_.empty(); };
  for (bool killed = false; is_left(); std::this_thread::sleep_for(10ms)) {
    bury();
    if (killed || clock::now() < until) continue;
    told(SIGKILL);
    killed = true;
  }
  std::error_code ignored;
  files::remove_all(how_.temporary, ignored);
}

// What needs root's rights comes first; nothing is removed with them.
bool supervisor::prepare() {
  ::umask(077);
  account self{::geteuid(), ::getegid()};
  if (!how_.user.empty()) {
    const auto found = find_account(how_.user);
    if (!found) {
      say("error", "no such user: %s", how_.user.c_str());
      return false;
    }
    self = *found;
  }
  if (!make_private(how_.temporary, self.user)) {
    say("error", "%s is no folder of our own", how_.temporary.c_str());
    return false;
  }
  if (!listen()) {
    say("error", "cannot listen on %s: %s", how_.socket.c_str(), std::strerror(errno));
    return false;
  }
  if (!how_.group.empty()) {
    const auto group = find_group(how_.group);
    if (!group || ::lchown(how_.socket.c_str(), static_cast<uid_t>(-1), *group) != 0 ||
        ::chmod(how_.socket.c_str(), 0660) != 0) {
      say("error", "cannot give the socket to the group %s", how_.group.c_str());
      return false;
    }
  }
  if (!how_.user.empty() && !become(self)) {
    say("error", "cannot become %s: %s", how_.user.c_str(), std::strerror(errno));
    return false;
  }
  empty(how_.temporary);
  return true;
}

int supervisor::run() {
  if (!prepare()) return 1;
  const sigset_t handled = handled_signals();
  ::sigprocmask(SIG_BLOCK, &handled, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  const int signals = ::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
  for (bool ending = false; !ending;) {
    look_at_folder();
    wait_for_event(signals, ending);
    hear_ready();
    bury();
  }
  end();
  return 0;
}

}  // namespace briefwerk::scand

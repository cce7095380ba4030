#include "apps/briefwerkd/guard_upkeep.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>

namespace briefwerk::apps {

using base::log_level;

guard_upkeep::guard_upkeep(server::login_guard& guard, base::log_sink& log, options how)
    : guard_(guard),
      log_(log),
      options_(std::move(how)),
      thread_([this](std::stop_token stop) { run(std::move(stop)); }) {}

void guard_upkeep::run(std::stop_token stop) {
  const auto every = options_.hook.empty() ? options_.sweep_every : std::min(options_.sweep_every, options_.hook_every);
  while (!stop.stop_requested()) {
    try {
      guard_.sweep();
      if (!options_.hook.empty()) run_hook();
    } catch (const std::exception&) {
      log_.log(log_level::error, "guard.upkeep_failed", {{"reason", "not enough memory"}});
    }
    std::unique_lock lock(mutex_);
    waiting_.wait_for(lock, stop, every, [] { return false; });
  }
}

void guard_upkeep::run_hook() {
  const std::uint64_t now = guard_.revision();
  if (now == told_) return;
  const auto all = guard_.list(static_cast<std::size_t>(-1));
  const std::string text = server::nft_ruleset(all.bans, options_.nft, base::system_clock().now());
  const auto done = feed_program(options_.hook, text, options_.hook_every);
  if (done) {
    told_ = now;
    return;
  }
  // Tried again next time: what is wrong may be mended meanwhile.
  log_.log(log_level::error, "guard.hook_failed",
           {{"program", options_.hook.front()}, {"reason", done.error().message()}});
}

namespace {

std::error_code system_error(int value) { return {value, std::generic_category()}; }

// A file in memory, so that a program that reads slowly, or not at all, holds up nobody.
int file_of(std::string_view input) {
  const int fd = ::memfd_create("bans", MFD_CLOEXEC);
  while (fd >= 0 && !input.empty()) {
    const ssize_t n = ::write(fd, input.data(), input.size());
    if (n <= 0) {
      ::close(fd);
      return -1;
    }
    input.remove_prefix(static_cast<std::size_t>(n));
  }
  if (fd >= 0) ::lseek(fd, 0, SEEK_SET);
  return fd;
}

// Signals as a program expects them: the server blocks some in all its threads.
void reset_signals(posix_spawnattr_t& attributes) {
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

base::status wait_for(pid_t child, std::chrono::milliseconds within) {
  const auto until = std::chrono::steady_clock::now() + within;
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() >= until) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      return base::fail(base::errc::timed_out);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return base::fail(base::errc::denied);
  return {};
}

}  // namespace

base::status feed_program(const std::vector<std::string>& command, std::string_view input,
                          std::chrono::milliseconds within) {
  const int in = file_of(input);
  if (in < 0) return base::fail(system_error(errno));
  std::vector<char*> arguments;
  for (const std::string& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  char* environment[] = {const_cast<char*>("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  reset_signals(attributes);
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, arguments[0], &actions, &attributes, arguments.data(), environment);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  ::close(in);
  if (failed != 0) return base::fail(system_error(failed));
  return wait_for(child, within);
}

}  // namespace briefwerk::apps

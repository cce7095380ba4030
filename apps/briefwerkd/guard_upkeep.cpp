#include "apps/briefwerkd/guard_upkeep.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <string>

#include "apps/briefwerkd/starter.hpp"

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
  if (done && *done == 0) {
    told_ = now;
    return;
  }
  // Tried again next time: what is wrong may be mended meanwhile.
  log_.log(log_level::error, "guard.hook_failed",
           {{"program", options_.hook.front()}, {"reason", done ? "it ended with " + std::to_string(*done) : done.error().message()}});
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

}  // namespace

base::result<int> feed_program(const std::vector<std::string>& command, std::string_view input,
                               std::chrono::milliseconds within) {
  const int in = file_of(input);
  if (in < 0) return base::fail(system_error(errno));
  pid_t child = 0;
  const int failed = spawn(child, command, in);
  ::close(in);
  if (failed != 0) return base::fail(system_error(failed));
  const int status = wait_for_end(child, within);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return base::fail(base::errc::timed_out);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace briefwerk::apps

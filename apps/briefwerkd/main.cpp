#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include <CLI/CLI.hpp>

#include "apps/briefwerkd/daemon.hpp"
#include "apps/config/config.hpp"
#include "apps/store/privileges.hpp"

namespace {

using namespace briefwerk;

int print_errors(const std::string& file, const std::vector<apps::config_error>& errors) {
  for (const auto& one : errors) {
    std::fprintf(stderr, "%s: %s%s%s\n", file.c_str(), one.path.c_str(), one.path.empty() ? "" : ": ", one.text.c_str());
  }
  return 1;
}

// What one change of a large mailbox gives back the next one takes again: the kernel would have to clear it anew.
void keep_freed_memory() {
  ::mallopt(M_TRIM_THRESHOLD, 32 << 20);
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
}

// A session costs a descriptor, and the usual soft limit (1024) is there for programs that use select().
void use_all_descriptors() {
  rlimit open_files{};
  if (::getrlimit(RLIMIT_NOFILE, &open_files) != 0) return;
  open_files.rlim_cur = open_files.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &open_files);
}

int serve(apps::config conf) {
  keep_freed_memory();
  use_all_descriptors();
  // Blocked before any thread exists, so that all of them inherit it and sigwait() below gets every signal.
  sigset_t handled;
  sigemptyset(&handled);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&handled, signal);
  pthread_sigmask(SIG_BLOCK, &handled, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const std::chrono::seconds grace(conf.stop_seconds);
  auto server = apps::daemon::create(std::move(conf));
  if (!server) {
    std::fprintf(stderr, "briefwerkd: %s\n", server.error().text.c_str());
    return 1;
  }
  (*server)->start();
  for (;;) {
    int signal = 0;
    if (sigwait(&handled, &signal) != 0) continue;
    if (signal != SIGHUP) break;
    (*server)->reload();
  }
  (*server)->stop(grace);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("briefwerkd: the mail server. Stops on SIGTERM; reads certificates and rules about spam anew, and reopens its log, on SIGHUP.");
  std::string file;
  bool check = false, schema = false;
  app.add_option("--config", file, "Configuration, JSON with comments");
  app.add_flag("--check", check, "Explain what is wrong with the configuration, and end");
  app.add_flag("--schema", schema, "Print the JSON Schema of the configuration, and end");
  app.set_version_flag("--version", "briefwerkd " BRIEFWERK_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {  // --help is one
    return app.exit(wrong) == 0 ? 0 : 2;
  }

  if (schema) {
    std::fputs(apps::config_schema().c_str(), stdout);
    return 0;
  }
  if (file.empty()) {
    std::fputs("briefwerkd: --config FILE is needed (briefwerkctl init makes one)\n", stderr);
    return 2;
  }
  auto conf = apps::load_config(file);
  if (!conf) return print_errors(file, conf.error());
  if (check) {
    // With the rights that the server keeps: it reads certificates anew as that user. No such user: an error below.
    if (::geteuid() == 0) (void)apps::drop_privileges(conf->user, conf->group);
    const auto errors = apps::check_environment(*conf);
    if (!errors.empty()) return print_errors(file, errors);
    std::printf("%s: correct\n", file.c_str());
    return 0;
  }
  return serve(std::move(*conf));
}

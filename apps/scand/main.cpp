#include <CLI/CLI.hpp>

#include "apps/scand/settings.hpp"
#include "apps/scand/supervisor.hpp"

int main(int argc, char** argv) {
  briefwerk::scand::settings how;
  CLI::App app("briefwerk-scand: scans messages for malware with libclamav. Stops on SIGTERM.");
  app.add_option("--socket", how.socket, "Unix socket to listen on")->required();
  app.add_option("--database", how.database, "Folder of signatures; loaded anew when it changes")->required();
  app.add_option("--temporary", how.temporary, "Folder of its own for what scans need, emptied at start")->required();
  app.add_option("--user", how.user, "Become this user when it is started by root");
  app.add_option("--group", how.group,
                 "Members of this group may ask as well: the server's user, where it is another one");
  app.add_option("--workers", how.workers, "Scans at once")->check(CLI::Range(1, 256))->capture_default_str();
  app.add_option("--size", how.size, "Octets of the largest message")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--unpacked", how.unpacked, "Octets that are looked at of one message")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--depth", how.depth, "Archives in archives")->check(CLI::Range(1, 100))->capture_default_str();
  app.add_option("--files", how.files, "Files in one message")->check(CLI::Range(1, 1000000))->capture_default_str();
  app.add_option("--seconds", how.seconds, "Longest scan")->check(CLI::Range(1, 600))->capture_default_str();
  app.add_option("--memory", how.memory, "Octets of memory for one scan")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--check-seconds", how.check_seconds, "How often the folder is looked at")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_flag("--end-with-input", how.end_with_input, "End when standard input ends");
  app.set_version_flag("--version", "briefwerk-scand " BRIEFWERK_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {  // --help is one
    return app.exit(wrong) == 0 ? 0 : 2;
  }
  return briefwerk::scand::supervisor(how).run();
}

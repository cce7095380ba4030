// What the server allocates for a phone that looks after its mail once a month: 100 new messages since it was here.
//   phone [--sites] [FOLDER]    the store is made in FOLDER (default: the current one) and removed afterwards
// --sites: of each command, where in the program the most was allocated of what was held at the peak without TLS.

#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/phone/counted.hpp"
#include "benchmarks/server/imap_house.hpp"

namespace {

using namespace briefwerk::benchmarks;

// The program's own functions, the innermost first, without their arguments.
std::string names_of(const char* program, const std::vector<std::uintptr_t>& frames) {
  std::string command = "addr2line -f -C -e '" + std::string(program) + "'";
  char text[1024];
  for (const auto frame : frames) std::snprintf(text, sizeof text, " 0x%zx", static_cast<std::size_t>(frame)), command += text;
  std::string out;
  FILE* lines = frames.empty() ? nullptr : ::popen(command.c_str(), "r");
  if (lines == nullptr) return out;
  for (int kept = 0; std::fgets(text, sizeof text, lines) != nullptr;) {
    std::string_view name(text, std::strcspn(text, "\n"));
    char place[1024];
    if (std::fgets(place, sizeof place, lines) == nullptr) break;
    if (!name.starts_with("briefwerk::") || kept == 3) continue;
    name.remove_prefix(std::strlen("briefwerk::"));
    out.append(out.empty() ? "" : " < ").append(name.substr(0, name.find('(')));
    ++kept;
  }
  ::pclose(lines);
  return out;
}

void print_sites(const char* program) {
  static const char* const names[] = {"Briefwerk", "RocksDB", "TLS"};
  int shown = 0;
  for (const auto& one : sites_at_peak())
    if (++shown <= 10)
      std::printf("  %8ld in %3ld, %s: %s\n", one.octets, one.blocks, names[static_cast<int>(one.whose)],
                  names_of(program, one.frames).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  using namespace briefwerk;
  const bool sites = argc > 1 && std::strcmp(argv[1], "--sites") == 0;
  const char* const given = argc > (sites ? 2 : 1) ? argv[argc - 1] : ".";
  const std::string folder = std::string(given) + "/phone-store";
  find_libraries();
  std::filesystem::remove_all(folder);
  {
    benchmarks::house host({.many = 20000, .bodies = 3000}, [&](const base::crypto& crypto) {
      auto opened = store::open_local_store(folder, crypto, base::system_clock(), {});
      if (!opened) {
        std::fprintf(stderr, "%s: %s\n", folder.c_str(), opened.error().message().c_str());
        std::exit(1);
      }
      return std::move(*opened);
    });
    count_without_this_thread();
    const char* const commands[] = {
        "NOOP",
        "SELECT Bodies",
        "UID SEARCH UID 2901:*",
        "UID FETCH 2901:* (UID FLAGS)",
        "UID FETCH 2901:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)",
        "UID FETCH 2901:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (date subject from content-type to cc "
        "reply-to message-id references in-reply-to list-unsubscribe sender)])",
        "UID FETCH 2901:* (UID BODY.PEEK[HEADER])",
        "UID FETCH 2901:* (UID BODYSTRUCTURE)",
        "UID FETCH 2901:* (UID PREVIEW)",
        "UID FETCH 2901:3000 (UID BODY.PEEK[])",
    };
    std::printf("%-62s %8s %7s %8s %8s %8s %8s %8s %7s\n", "command (first and second time)", "answer", "blocks", "octets", "peak",
                "of TLS", "RocksDB", "no TLS", "of it");
    for (int round = 0; round < 2; ++round) {
      client phone(host);
      for (const char* command : commands) {
        begin_counting(sites);
        const std::size_t answer = phone.command(command);
        const auto all = end_counting();
        std::printf("%-62.62s %8zu %7ld %8ld %8ld %8ld %8ld %8ld %6.2fx\n", command, answer, all.blocks, all.octets, all.peak,
                    all.at_peak[2], all.at_peak[1], all.peak_without_tls,
                    static_cast<double>(all.peak_without_tls) / static_cast<double>(answer));
        if (sites && round == 1) print_sites(argv[0]);
      }
    }
  }
  std::filesystem::remove_all(folder);
}

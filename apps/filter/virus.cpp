#include "apps/filter/virus.hpp"

#include <grp.h>
#include <pwd.h>

#include <chrono>
#include <filesystem>
#include <utility>

#include "briefwerk/server/scanners.hpp"

namespace briefwerk::apps {
namespace {

using filter::action;

action to_action(std::string_view name) {
  for (const action one : {action::tag, action::quarantine, action::defer, action::reject}) {
    if (name == filter::to_string(one)) return one;
  }
  return action::accept;  // "pass"
}

std::string scan_socket(const config& conf) {
  const virus_config& from = conf.filter.virus;
  if (from.scanner != "started") return from.socket;
  return from.user.empty() || from.socket.empty() ? scan_folder(conf) + "/socket" : from.socket;
}

// Whose members may ask a scanner that is another user: the server's. Empty: the server is root.
std::string group_of_server(const config& conf) {
  if (!conf.group.empty() || conf.user.empty()) return conf.group;
  const passwd* const who = ::getpwnam(conf.user.c_str());
  const struct group* const found = who ? ::getgrgid(who->pw_gid) : nullptr;
  return found ? found->gr_name : conf.user;
}

std::string beside_this_program(std::string_view name) {
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed ? std::string() : (self.parent_path() / name).string();
}

std::chrono::seconds whole_time(const virus_config& conf) {
  return std::chrono::seconds(conf.seconds + conf.wait_seconds);
}

}  // namespace

std::string scan_folder(const config& conf) {
  const virus_config& from = conf.filter.virus;
  if (from.user.empty()) return conf.data + "/scan";
  return from.socket.empty() ? "/run/briefwerk-scan" : std::filesystem::path(from.socket).parent_path().string();
}

std::vector<std::string> scan_command(const config& conf) {
  const virus_config& from = conf.filter.virus;
  std::vector<std::string> made{from.program.empty() ? beside_this_program("briefwerk-scand") : from.program};
  const auto add = [&made](std::string_view option, std::string value) {
    made.emplace_back(option);
    made.push_back(std::move(value));
  };
  add("--socket", scan_socket(conf));
  add("--temporary", scan_folder(conf) + "/temporary");
  add("--database", from.database);
  if (!from.user.empty()) {
    add("--user", from.user);
    if (std::string group = group_of_server(conf); !group.empty()) add("--group", std::move(group));
  }
  add("--workers", std::to_string(from.workers));
  add("--size", std::to_string(from.size));
  add("--unpacked", std::to_string(from.unpacked));
  add("--depth", std::to_string(from.depth));
  add("--files", std::to_string(from.files));
  add("--seconds", std::to_string(from.seconds));
  add("--memory", std::to_string(from.memory));
  add("--check-seconds", std::to_string(from.check_seconds));
  made.emplace_back("--end-with-input");
  return made;
}

std::shared_ptr<filter::virus_stage> make_virus_stage(const config& conf, base::log_sink& log, base::metrics* metrics,
                                                      std::function<void(const filter::virus_notice&)> notify) {
  const virus_config& from = conf.filter.virus;
  server::scanner_options asking;
  asking.socket = scan_socket(conf);
  asking.limit = whole_time(from);
  asking.size = from.size;
  asking.at_once = static_cast<unsigned>(from.workers) + 1;  // the next one is on its way when a worker has ended one
  asking.hanging = {.time_outs = static_cast<std::uint32_t>(from.time_outs),
                    .pause = std::chrono::seconds(from.pause_seconds),
                    .log = &log,
                    .metrics = metrics};
  if (const auto tcp = base::endpoint::parse(from.address)) asking.tcp = *tcp;
  std::shared_ptr<filter::scanner> by = from.scanner == "clamd" ? server::make_clamd_client(std::move(asking))
                                                                : server::make_scand_client(std::move(asking));
  return std::make_shared<filter::virus_stage>(std::move(by),
                                               filter::virus_options{.infected = to_action(from.infected),
                                                                     .encrypted = to_action(from.encrypted),
                                                                     .too_large = to_action(from.too_large),
                                                                     .failed = to_action(from.failure),
                                                                     .notify = std::move(notify)});
}

// The client bounds the time itself. What is refused anyway is not scanned.
filter::stage_options usual_virus_options(const virus_config& conf) {
  return {.on_failure = conf.failure == "pass" ? filter::failure_mode::open : filter::failure_mode::defer,
          .limit = whole_time(conf) + std::chrono::seconds(5),
          .after = {"mailauth", "dns_lists", "rate", "greylist", "content"}};
}

void check_virus(const virus_config& conf, std::vector<config_error>& errors) {
  const std::string where = "/filter/virus";
  if (!conf.address.empty() && (conf.scanner != "clamd" || !base::endpoint::parse(conf.address))) {
    errors.push_back({where + "/address", "must be an address with port, of clamd"});
  }
  if ((conf.scanner == "socket" || conf.scanner == "clamd") && conf.socket.empty() && conf.address.empty()) {
    errors.push_back({where + "/socket", "is empty: where is the scanner?"});
  }
  if (conf.user.empty()) return;
  if (conf.scanner != "started") errors.push_back({where + "/user", "is for a scanner that this server starts"});
  if (!::getpwnam(conf.user.c_str())) errors.push_back({where + "/user", "there is no such user: " + conf.user});
  if (!conf.socket.empty() && !conf.socket.starts_with('/')) errors.push_back({where + "/socket", "must be a whole path"});
}

}  // namespace briefwerk::apps

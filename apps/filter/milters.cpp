#include "apps/filter/milters.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "briefwerk/server/milter_stage.hpp"

namespace briefwerk::apps {
namespace {

// What other stages are called; see filter_chain.
constexpr std::string_view other_stages[] = {"mailauth", "dns_lists", "rate", "greylist", "content", "virus", "spam"};

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace

std::shared_ptr<filter::stage> make_milter_stage(const config& conf, const milter_config& from, base::log_sink& log,
                                                 base::metrics* metrics) {
  server::milter_options options;
  options.name = from.name;
  options.address = server::parse_milter_address(from.address).value_or(server::milter_address());
  options.hostname = conf.hostname;
  options.junk_field = from.junk_field;
  options.limit = std::chrono::seconds(from.seconds);
  options.message_limit = std::chrono::seconds(from.message_seconds);
  options.body_size = conf.limits.message_size;
  options.hanging = {.time_outs = static_cast<std::uint32_t>(from.time_outs),
                     .pause = std::chrono::seconds(from.pause_seconds),
                     .log = &log,
                     .metrics = metrics};
  return server::make_milter_stage(std::move(options));
}

// The stage bounds the time itself.
filter::stage_options usual_milter_options(const milter_config& conf, std::vector<std::string> before) {
  filter::stage_options made;
  made.on_failure = conf.failure == "open" ? filter::failure_mode::open : filter::failure_mode::defer;
  made.limit = std::chrono::seconds(std::max(conf.seconds, conf.message_seconds) + 5);
  if (conf.only == "inbound") made.only = filter::scope::inbound;
  if (conf.only == "submission") made.only = filter::scope::submission;
  made.domains = conf.domains;
  made.accounts = conf.accounts;
  made.after = std::move(before);
  made.dry_run = conf.dry_run;
  return made;
}

void check_milters(const std::vector<milter_config>& all, std::vector<config_error>& errors) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string where = "/filter/milters/" + std::to_string(i);
    const auto same = std::ranges::find(all, all[i].name, &milter_config::name);
    if (!is_name(all[i].name)) {
      errors.push_back({where + "/name", "must consist of letters, digits, - and _"});
    } else if (same != all.begin() + static_cast<std::ptrdiff_t>(i) || std::ranges::count(other_stages, all[i].name) != 0) {
      errors.push_back({where + "/name", "is the name of another stage"});
    }
    if (!server::parse_milter_address(all[i].address)) {
      errors.push_back({where + "/address", "must be unix:/path or inet:port@address"});
    }
  }
}

void check_stages(const filter_config& conf, std::vector<config_error>& errors) {
  const auto look = [&](const std::string& where, const std::string& name) {
    if (std::ranges::count(other_stages, name) == 0 && std::ranges::find(conf.milters, name, &milter_config::name) == conf.milters.end())
      errors.push_back({where, "there is no stage \"" + name + "\""});
  };
  for (std::size_t i = 0; i < conf.stages.size(); ++i) {
    const std::string where = "/filter/stages/" + std::to_string(i);
    look(where + "/name", conf.stages[i].name);
    for (std::size_t n = 0; n < conf.stages[i].after.size(); ++n) look(where + "/after/" + std::to_string(n), conf.stages[i].after[n]);
  }
}

}  // namespace briefwerk::apps
